package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/slowburn-sre/slowburn/internal/api"
	"github.com/slowburn-sre/slowburn/internal/daemon"
)

// remote are the flags of commands that ask a running daemon.
type remote struct {
	URL    string `help:"The daemon's address." env:"SLOWBURN_URL" default:"http://127.0.0.1:7569"`
	Output string `short:"o" help:"How to print." enum:"table,json,yaml" default:"table"`
}

// apiTimeout bounds one question to the daemon.
const apiTimeout = 30 * time.Second

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// get asks the API and decodes the data of its answer.
func (d remote) get(e *env, path string, query url.Values, data any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return d.ask(e, http.MethodGet, path, nil, data)
}

// post sends something to the API and decodes the data of its answer.
func (d remote) post(e *env, path string, body, data any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return d.ask(e, http.MethodPost, path, bytes.NewReader(text), data)
}

// send asks the daemon. Only what has a body is a write, which may need the token.
func (d remote) send(e *env, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(e.ctx, method, strings.TrimSuffix(d.URL, "/")+"/"+path, body)
	if err != nil {
		return nil, cannotFindOut(fmt.Errorf("the address of the daemon is malformed: %w", err))
	}
	if body != nil {
		if token := e.getenv(daemon.WriteTokenEnv); token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	client := http.Client{Timeout: apiTimeout}
	resp, err := client.Do(req)
	if err != nil {
		return nil, cannotFindOut(fmt.Errorf("asking the daemon: %w (is it running? start it with slowburn serve, or name it with --url)", err))
	}
	return resp, nil
}

func (d remote) ask(e *env, method, path string, body io.Reader, data any) error {
	resp, err := d.send(e, method, "api/v1/"+path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := api.Answer{Data: data}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return cannotFindOut(fmt.Errorf("asking the daemon: %s answered %s, which is not slowburn's API", resp.Request.URL.Redacted(), resp.Status))
	}
	if answer.Status != "success" {
		switch resp.StatusCode {
		case http.StatusNotFound, http.StatusConflict, http.StatusBadRequest:
			return answerNo(errors.New(answer.Error))
		}
		return cannotFindOut(errors.New(answer.Error))
	}
	return nil
}

// page copies one of the daemon's pages to the output.
func (d remote) page(e *env, path string) error {
	resp, err := d.send(e, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return answerNo(errors.New("the daemon has no such page: " + resp.Request.URL.Path))
	default:
		return cannotFindOut(fmt.Errorf("asking the daemon: %s answered %s", resp.Request.URL.Redacted(), resp.Status))
	}
	_, err = io.Copy(e.out, io.LimitReader(resp.Body, maxAnswer))
	return err
}

// print writes facts as JSON or YAML; it is false if a table is wanted.
func (d remote) print(e *env, facts any) (bool, error) {
	switch d.Output {
	case "json":
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		return true, enc.Encode(facts)
	case "yaml":
		text, err := yamlOf(facts)
		if err == nil {
			_, err = e.out.Write(text)
		}
		return true, err
	}
	return false, nil
}

// yamlOf writes facts under the names they have in JSON.
func yamlOf(facts any) ([]byte, error) {
	text, err := json.Marshal(facts)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	return yaml.Marshal(tree)
}
