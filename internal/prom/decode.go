package prom

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// sink takes the samples of an answer as they are decoded.
type sink interface {
	// series begins a series. The bytes are its labels as a JSON object, valid until the call
	// returns. On false its samples are skipped.
	series(metric []byte) bool
	// sample is the next sample of the series: milliseconds since 1970 and the value.
	sample(ms int64, v float64)
}

// answer is what surrounds the samples.
type answer struct {
	status, errorType, errorText string
	resultType                   string
	list                         []string // where the data are a list of strings
	warnings                     []string
	partial                      bool // VictoriaMetrics says isPartial
	hasData                      bool
	nSeries                      int
	samples                      int64
	samplesRead                  int64 // by the server's own statistics, 0 if it gave none
}

// problem returns the failure that an answer in good form reports, or nil.
func (a *answer) problem() error {
	switch {
	case a.status == "error":
		return &Error{Kind: kindOf(a.errorType), Hint: "the server says " + cmp.Or(a.errorType, "error"), Err: errors.New(printable(a.errorText))}
	case a.status != "success" || !a.hasData:
		return errors.New("no status or data in the answer")
	case len(a.warnings) > 0:
		return &Error{Kind: Partial, Hint: "answered with warnings, so something may be missing", Err: errors.New(printable(strings.Join(a.warnings, "; ")))}
	case a.partial:
		return &Error{Kind: Partial, Hint: "the server says that a part did not respond", Err: errors.New("isPartial")}
	}
	return nil
}

func kindOf(errorType string) Kind {
	switch errorType {
	case "timeout", "canceled", "internal", "unavailable", "too_many_requests":
		return Overloaded
	}
	return Refused
}

// The decoder below reads the API's JSON as a stream through one buffer. It knows exactly the
// shapes that matter and skips everything else. Compared with encoding/json it makes no
// intermediate values, and it hands the labels of a series over unparsed: a reader that has seen
// the same bytes before need not look inside them.

const (
	maxToken = 1 << 20 // the longest label set or string
	maxDepth = 64
)

type decoder struct {
	r        io.Reader
	buf      []byte
	pos, end int
	err      error // why reading ended
	sink     sink
	a        *answer
}

// decode reads one answer. s may be nil.
func decode(r io.Reader, s sink, a *answer) (err error) {
	d := &decoder{r: r, buf: make([]byte, 64<<10), sink: s, a: a}
	defer func() {
		if p := recover(); p != nil {
			broken, ok := p.(syntaxError)
			if !ok {
				panic(p)
			}
			err = broken.err
		}
	}()
	d.object(0, d.topLevel)
	return nil
}

// syntaxError travels up through the recursive descent as a panic and no further than decode.
type syntaxError struct{ err error }

func (d *decoder) fail(format string, args ...any) {
	panic(syntaxError{fmt.Errorf("bad JSON: "+format, args...)})
}

// fill makes at least one more byte available, keeping those from mark on, and returns where mark
// is now.
func (d *decoder) fill(mark int) int {
	if d.err != nil {
		panic(syntaxError{fmt.Errorf("the answer ends too early: %w", d.err)})
	}
	if mark > 0 {
		copy(d.buf, d.buf[mark:d.end])
		d.pos -= mark
		d.end -= mark
	}
	if d.end == len(d.buf) {
		if len(d.buf) >= maxToken {
			panic(syntaxError{&Error{Kind: TooLarge, Hint: "this is not what Prometheus answers", Err: fmt.Errorf("a value of more than %d bytes", maxToken)}})
		}
		d.buf = append(d.buf, make([]byte, len(d.buf))...)
	}
	n, err := d.r.Read(d.buf[d.end:])
	d.end += n
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		} else if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		panic(syntaxError{fmt.Errorf("the answer ends too early: %w", err)})
	}
	return 0
}

// peek returns the next byte that is not white space.
func (d *decoder) peek() byte {
	for {
		for d.pos < d.end {
			switch c := d.buf[d.pos]; c {
			case ' ', '\n', '\t', '\r':
				d.pos++
			default:
				return c
			}
		}
		d.fill(d.pos)
	}
}

func (d *decoder) expect(c byte) {
	if got := d.peek(); got != c {
		d.fail("%q where %q was expected", got, c)
	}
	d.pos++
}

// object reads an object and calls field for every key; field must consume the value.
func (d *decoder) object(depth int, field func(key string, depth int)) {
	if depth > maxDepth {
		d.fail("nested too deeply")
	}
	d.expect('{')
	if d.peek() == '}' {
		d.pos++
		return
	}
	for {
		key := d.text()
		d.expect(':')
		field(key, depth+1)
		if d.peek() == ',' {
			d.pos++
			continue
		}
		d.expect('}')
		return
	}
}

// array reads an array and calls item for every element; item must consume it.
func (d *decoder) array(depth int, item func(depth int)) {
	if depth > maxDepth {
		d.fail("nested too deeply")
	}
	d.expect('[')
	if d.peek() == ']' {
		d.pos++
		return
	}
	for {
		item(depth + 1)
		if d.peek() == ',' {
			d.pos++
			continue
		}
		d.expect(']')
		return
	}
}

func (d *decoder) topLevel(key string, depth int) {
	switch key {
	case "status":
		d.a.status = d.text()
	case "errorType":
		d.a.errorType = d.text()
	case "error":
		d.a.errorText = d.text()
	case "isPartial":
		d.a.partial = string(d.raw(depth)) == "true"
	case "warnings":
		if d.peek() != '[' {
			d.raw(depth)
			return
		}
		d.array(depth, func(int) { d.a.warnings = append(d.a.warnings, d.text()) })
	case "data":
		d.a.hasData = true
		switch d.peek() {
		case '{':
			d.object(depth, d.data)
		case '[':
			d.array(depth, d.listItem)
		default:
			d.raw(depth)
		}
	default:
		d.raw(depth)
	}
}

// listItem reads an element of a list: of strings, as the label endpoints answer, or of series
// without samples.
func (d *decoder) listItem(depth int) {
	switch d.peek() {
	case '"':
	case '{':
		d.oneSeries(d.raw(depth))
		return
	default:
		d.raw(depth)
		return
	}
	d.a.list = append(d.a.list, d.text())
}

func (d *decoder) data(key string, depth int) {
	switch key {
	case "resultType":
		d.a.resultType = d.text()
	case "stats":
		d.object(depth, d.stats)
	case "result":
		d.expect('[')
		d.result(depth)
	default:
		d.raw(depth)
	}
}

// result reads the elements of a vector or matrix, or the two of a scalar; its bracket is open
// already.
func (d *decoder) result(depth int) {
	switch d.peek() {
	case ']':
		d.pos++
		return
	case '{':
	default: // a scalar: [time, "value"]
		d.oneSeries([]byte("{}"))
		d.pair(true)
		return
	}
	for {
		wanted := false
		d.object(depth, func(key string, depth int) {
			switch {
			case key == "metric":
				wanted = d.oneSeries(d.raw(depth))
			case key == "value":
				d.expect('[')
				d.pair(wanted)
			case key == "values":
				d.array(depth, func(int) { d.expect('['); d.pair(wanted) })
			default: // native histograms are asked for by expressions, never raw
				d.raw(depth)
			}
		})
		if d.peek() == ',' {
			d.pos++
			continue
		}
		d.expect(']')
		return
	}
}

func (d *decoder) oneSeries(metric []byte) bool {
	d.a.nSeries++
	return d.sink != nil && d.sink.series(metric)
}

// pair reads the rest of [time, "value"].
func (d *decoder) pair(wanted bool) {
	ms := d.millis()
	d.expect(',')
	v := d.number()
	d.expect(']')
	d.a.samples++
	if wanted {
		d.sink.sample(ms, v)
	}
}

// millis reads a time in seconds, such as 1700000000.123, without the detour over a float where it
// can.
func (d *decoder) millis() int64 {
	tok := d.scalar()
	var n int64
	digits, point := 0, -1
	for i, c := range tok {
		switch {
		case c >= '0' && c <= '9' && digits < 17:
			n = n*10 + int64(c-'0')
			digits++
		case c == '.' && point < 0:
			point = i
		default:
			return d.millisFloat(tok)
		}
	}
	decimals := 0
	if point >= 0 {
		decimals = len(tok) - point - 1
	}
	if digits == 0 || decimals > 3 {
		return d.millisFloat(tok)
	}
	for ; decimals < 3; decimals++ {
		n *= 10
	}
	return n
}

func (d *decoder) millisFloat(tok []byte) int64 {
	f, err := strconv.ParseFloat(string(tok), 64)
	if err != nil || math.Abs(f) > 1e12 {
		d.fail("%.40q is not a time", tok)
	}
	return int64(math.Round(f * 1000))
}

// number reads "value". A number out of range reads as infinite, which never counts.
func (d *decoder) number() float64 {
	if d.peek() != '"' {
		d.fail("a sample value must be a string")
	}
	tok := d.scalar()
	tok = tok[1 : len(tok)-1]
	var n int64
	for _, c := range tok {
		if c < '0' || c > '9' || len(tok) > 15 {
			f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(tok), len(tok)), 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				d.fail("%.40q is not a number", tok)
			}
			return f
		}
		n = n*10 + int64(c-'0')
	}
	if len(tok) == 0 {
		d.fail("an empty sample value")
	}
	return float64(n)
}

func (d *decoder) stats(key string, depth int) {
	if key != "samples" || d.peek() != '{' {
		d.raw(depth)
		return
	}
	d.object(depth, func(key string, depth int) {
		if key != "totalQueryableSamples" && key != "samplesRead" {
			d.raw(depth)
			return
		}
		n, _ := strconv.ParseInt(string(d.raw(depth)), 10, 64)
		if key == "samplesRead" || d.a.samplesRead == 0 {
			d.a.samplesRead = n
		}
	})
}

// text reads a string.
func (d *decoder) text() string {
	if d.peek() != '"' {
		d.fail("%q where a string was expected", d.buf[d.pos])
	}
	tok := d.scalar()
	s, err := unquote(tok)
	if err != nil {
		d.fail("%v", err)
	}
	return s
}

// scalar returns the bytes of a string (with its quotes) or of a number or word. They are valid
// until the next read.
func (d *decoder) scalar() []byte {
	first := d.peek()
	start := d.pos
	d.pos++
	if first != '"' {
		for {
			for ; d.pos < d.end; d.pos++ {
				switch d.buf[d.pos] {
				case ',', ']', '}', ' ', '\n', '\t', '\r', ':':
					return d.buf[start:d.pos]
				}
			}
			start = d.fill(start)
		}
	}
	for {
		for ; d.pos < d.end; d.pos++ {
			switch d.buf[d.pos] {
			case '"':
				d.pos++
				return d.buf[start:d.pos]
			case '\\':
				if d.pos+1 >= d.end {
					start = d.fill(start)
				}
				d.pos++
			}
		}
		start = d.fill(start)
	}
}

// raw returns the bytes of any one value. They are valid until the next read.
func (d *decoder) raw(depth int) []byte {
	c := d.peek()
	if c != '{' && c != '[' {
		return d.scalar()
	}
	start, level, quoted := d.pos, 0, false
	for {
		for ; d.pos < d.end; d.pos++ {
			c := d.buf[d.pos]
			switch {
			case quoted && c == '\\':
				if d.pos+1 >= d.end {
					start = d.fill(start)
				}
				d.pos++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '{' || c == '[':
				if level++; level+depth > maxDepth {
					d.fail("nested too deeply")
				}
			case c == '}' || c == ']':
				if level--; level == 0 {
					d.pos++
					return d.buf[start:d.pos]
				}
			}
		}
		start = d.fill(start)
	}
}

// eachLabel calls f with the labels of a metric object, in the order in which they stand there.
func eachLabel(metric []byte, f func(name, value string)) (err error) {
	d := &decoder{r: strings.NewReader(""), buf: metric, end: len(metric), a: &answer{}}
	defer func() {
		if p := recover(); p != nil {
			broken, ok := p.(syntaxError)
			if !ok {
				panic(p)
			}
			err = broken.err
		}
	}()
	d.object(0, func(key string, _ int) { f(key, d.text()) })
	return nil
}
