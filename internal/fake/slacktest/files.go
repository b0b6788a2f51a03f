package slacktest

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// largestUpload bounds what the stand-in keeps in memory of one file.
const largestUpload = 16 << 20

// getUploadURL returns the first of three steps: it announces a file.
func getUploadURL(w *workspace, r *request) reply {
	size, err := strconv.Atoi(r.arg("length"))
	if r.arg("filename") == "" || err != nil || size <= 0 {
		return refuse("invalid_arguments")
	}
	if size > largestUpload {
		return refuse("file_upload_size_restricted")
	}
	f := &File{ID: w.id("F"), Name: r.arg("filename"), Size: size}
	w.files[f.ID] = f
	w.fileOrder = append(w.fileOrder, f.ID)
	r.committed = true
	return okay(map[string]any{"file_id": f.ID, "upload_url": w.url + "/upload/v1/" + f.ID})
}

// upload takes the second step: the bytes, raw or as a form's "file".
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	req := &request{call: Call{Method: "upload", Text: r.PathValue("id")}}
	r.Body = http.MaxBytesReader(w, r.Body, largestUpload+1<<20)
	content, err := uploadedBytes(r)
	s.serve(w, r, req, func(ws *workspace) reply {
		f := ws.files[r.PathValue("id")]
		switch {
		case f == nil || f.Uploaded:
			return reply{status: http.StatusNotFound, outcome: "file_not_found", text: "file not found"}
		case err != nil || len(content) != f.Size:
			return reply{status: http.StatusBadRequest, outcome: "size_mismatch", text: "size does not match"}
		}
		done := *f
		done.Content, done.Uploaded = content, true
		ws.files[f.ID] = &done
		req.committed = true
		return reply{outcome: "ok", text: "OK - " + strconv.Itoa(len(content))}
	})
}

func uploadedBytes(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return io.ReadAll(r.Body)
	}
	part, _, err := r.FormFile("file")
	if err != nil {
		return nil, err
	}
	defer part.Close()
	return io.ReadAll(part)
}

// completeUpload returns the third step: it names the files and shares them. Slack shares some time
// later; the stand-in does so at once.
func completeUpload(w *workspace, r *request) reply {
	var named []struct{ ID, Title string }
	if err := json.Unmarshal([]byte(r.arg("files")), &named); err != nil || len(named) == 0 {
		return refuse("invalid_arguments")
	}
	ids, out := []string{}, []any{}
	for _, n := range named {
		f := w.files[n.ID]
		if f == nil || !f.Uploaded {
			return refuse("file_not_found")
		}
		done := *f
		done.Title = cmp.Or(n.Title, f.Name)
		w.files[n.ID] = &done
		ids = append(ids, n.ID)
		out = append(out, map[string]any{"id": n.ID, "title": done.Title})
	}
	for _, ref := range strings.FieldsFunc(cmp.Or(r.arg("channel_id"), r.arg("channels")), func(c rune) bool { return c == ',' }) {
		if code := w.share(r, ref, ids); code != "" {
			return refuse(code)
		}
	}
	r.committed = true
	return okay(map[string]any{"files": out})
}

// share posts files into a channel, which must be named by ID.
func (w *workspace) share(r *request, ref string, ids []string) string {
	c := w.channel(ref, false)
	switch {
	case c == nil, c.Private && !c.Joined:
		return "channel_not_found"
	case c.Archived:
		return "is_archived"
	case !c.Joined:
		return "not_in_channel"
	}
	m := Message{Channel: c.ID, User: w.opts.BotUser, Username: w.opts.AppName, Text: r.arg("initial_comment"), Files: ids}
	if m.Text == "" {
		said, bad := readContent(r)
		if bad != nil {
			return bad.code
		}
		m.Blocks = said.blocks
	}
	if code := w.threadOf(&m, r); code != "" {
		return code
	}
	r.call.TS = w.add(m).TS
	for _, id := range ids {
		f := *w.files[id]
		f.Shared = append(slices.Clone(f.Shared), c.ID)
		w.files[id] = &f
	}
	return ""
}
