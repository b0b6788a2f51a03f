package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// A workspace to which Slack's own charts have not come is sent the chart as a picture. The picture
// is uploaded first, which nobody sees, and the message that names it is sent once, as every
// message is: so a crash between the two leaves nothing but an unused file.

const (
	pictureWidth, pictureHeight = 960, 360
	pictureLeft, pictureBottom  = 110, 50 // room for the figures
	pictureTime                 = 5 * time.Second
)

// drawn is a chart block as it is kept in a message.
type drawn struct {
	Title string `json:"title"`
	Chart struct {
		Series []struct {
			Data []Point `json:"data"`
		} `json:"series"`
	} `json:"chart"`
}

// pictured puts an uploaded picture in the place of the chart; false if that cannot be done.
func (c *Client) pictured(ctx context.Context, b Body) (Body, bool) {
	n := slices.IndexFunc(b.Blocks, func(raw Block) bool { return kindOf(raw) == "data_visualization" })
	if n < 0 || lately(&c.pictureless) {
		return b, false
	}
	var d drawn
	if err := json.Unmarshal(b.Blocks[n], &d); err != nil || len(d.Chart.Series) == 0 || len(d.Chart.Series[0].Data) < 2 {
		return b, false
	}
	ctx, cancel := context.WithTimeout(ctx, pictureTime)
	defer cancel()
	id, err := c.upload(ctx, "burn.png", picture(d.Chart.Series[0].Data))
	if err != nil {
		if outbox.FailureOf(failureOf(err)).Class == outbox.Misconfigured { // the scope is missing
			c.pictureless.Store(time.Now().Unix())
		}
		return b, false
	}
	b.Blocks = slices.Clone(b.Blocks)
	b.Blocks[n] = block(map[string]any{"type": "image", "slack_file": map[string]string{"id": id}, "alt_text": clip(d.Title+": "+inWords(d.Chart.Series[0].Data), 1000)})
	return b, true
}

// inWords returns a chart for those who do not see it.
func inWords(points []Point) string {
	first, last, top := points[0], points[len(points)-1], points[0]
	for _, p := range points {
		if p.Value > top.Value {
			top = p
		}
	}
	value := func(p Point) string { return short(p.Value) + " at " + p.Label }
	return "from " + value(first) + " to " + value(last) + ", highest " + value(top)
}

// upload brings a file to Slack without showing it to anybody.
func (c *Client) upload(ctx context.Context, name string, content []byte) (id string, err error) {
	at, err := c.api.GetUploadURLExternalContext(ctx, goslack.GetUploadURLExternalParameters{FileName: name, FileSize: len(content)})
	if err != nil {
		return "", err
	}
	if err := c.api.UploadToURL(ctx, goslack.UploadToURLParameters{UploadURL: at.UploadURL, Reader: bytes.NewReader(content), Filename: name}); err != nil {
		return "", err
	}
	_, err = c.api.CompleteUploadExternalContext(ctx, goslack.CompleteUploadExternalParameters{Files: []goslack.FileSummary{{ID: at.FileID, Title: name}}})
	return at.FileID, err
}

var (
	paper = color.RGBA{255, 255, 255, 255}
	ink   = color.RGBA{90, 90, 90, 255}
	grid  = color.RGBA{225, 225, 225, 255}
	flame = color.RGBA{214, 80, 40, 255}
)

// picture draws a line over its labels as a PNG. The same points give the same bytes.
func picture(points []Point) []byte {
	img := image.NewPaletted(image.Rect(0, 0, pictureWidth, pictureHeight), color.Palette{paper, ink, grid, flame}) // all paper
	top := 1.0
	for _, p := range points {
		top = max(top, p.Value)
	}
	x := func(i int) int {
		return pictureLeft + i*(pictureWidth-pictureLeft-40)/(len(points)-1)
	}
	y := func(v float64) int {
		return pictureHeight - pictureBottom - int(math.Round(max(v, 0)/top*(pictureHeight-pictureBottom-30)))
	}
	for _, v := range []float64{0, top / 2, top} {
		stroke(img, pictureLeft, y(v), pictureWidth-20, y(v), 1, grid)
		text := short(v)
		write(img, pictureLeft-16-len(text)*letterWidth, y(v)-letterHeight/2, text)
	}
	for i := 1; i < len(points); i++ {
		stroke(img, x(i-1), y(points[i-1].Value), x(i), y(points[i].Value), 4, flame)
	}
	for _, i := range []int{0, len(points) / 2, len(points) - 1} {
		label := points[i].Label
		text := label[strings.LastIndexByte(label, ' ')+1:] // the time of day of a label that also has a day
		write(img, x(i)-len(text)*letterWidth/2, pictureHeight-pictureBottom+16, text)
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes everything
	return b.Bytes()
}

// short writes a value as an axis does.
func short(v float64) string {
	if v >= 100 || v == math.Trunc(v) {
		return strconv.Itoa(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// stroke draws from one point to the other, so many pixels thick.
func stroke(img *image.Paletted, x0, y0, x1, y1, thick int, c color.RGBA) {
	steps := max(abs(x1-x0), abs(y1-y0), 1)
	for s := range steps + 1 {
		x, y := x0+(x1-x0)*s/steps, y0+(y1-y0)*s/steps
		fill(img, image.Rect(x, y-thick/2, x+max(thick/2, 1), y-thick/2+thick), c)
	}
}

// fill colours a rectangle, row by row.
func fill(img *image.Paletted, r image.Rectangle, c color.RGBA) {
	r = r.Intersect(img.Bounds())
	if r.Empty() {
		return
	}
	row := bytes.Repeat([]byte{byte(img.Palette.Index(c))}, r.Dx())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		copy(img.Pix[img.PixOffset(r.Min.X, y):], row)
	}
}

func abs(n int) int { return max(n, -n) }

// Figures are written in dots, three by five, enlarged.
const (
	dot                       = 4
	letterWidth, letterHeight = 4 * dot, 5 * dot
)

// letters are the rows of each figure, a bit per dot.
var letters = map[rune][5]byte{
	'0': {7, 5, 5, 5, 7}, '1': {2, 6, 2, 2, 7}, '2': {7, 1, 7, 4, 7}, '3': {7, 1, 7, 1, 7}, '4': {5, 5, 7, 1, 1},
	'5': {7, 4, 7, 1, 7}, '6': {7, 4, 7, 5, 7}, '7': {7, 1, 2, 2, 2}, '8': {7, 5, 7, 5, 7}, '9': {7, 5, 7, 1, 7},
	':': {0, 2, 0, 2, 0}, '.': {0, 0, 0, 0, 2},
}

func write(img *image.Paletted, x, y int, text string) {
	for _, r := range text {
		for row, bits := range letters[r] {
			for column := range 3 {
				if bits&(4>>column) != 0 {
					fill(img, image.Rect(x+column*dot, y+row*dot, x+(column+1)*dot, y+(row+1)*dot), ink)
				}
			}
		}
		x += letterWidth
	}
}
