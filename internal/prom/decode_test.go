package prom

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slowburn-sre/slowburn/internal/counting"
)

// tape is a sink that remembers everything.
type tape struct {
	Metrics []map[string]string
	Samples [][]counting.Sample
}

func (p *tape) series(metric []byte) bool {
	m := map[string]string{}
	if err := eachLabel(metric, func(n, v string) { m[n] = v }); err != nil {
		m["error"] = err.Error()
	}
	p.Metrics, p.Samples = append(p.Metrics, m), append(p.Samples, nil)
	return true
}

func (p *tape) sample(ms int64, v float64) {
	p.Samples[len(p.Samples)-1] = append(p.Samples[len(p.Samples)-1], counting.Sample{MS: ms, V: v})
}

// naive decodes with encoding/json.
func naive(t testing.TB, text string) (*tape, error) {
	var doc struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	p := &tape{}
	for _, s := range doc.Data.Result {
		p.Metrics = append(p.Metrics, s.Metric)
		var out []counting.Sample
		for _, v := range append(s.Values, s.Value) {
			if len(v) == 2 {
				f, _ := strconv.ParseFloat(v[1].(string), 64)
				out = append(out, counting.Sample{MS: int64(math.Round(v[0].(float64) * 1000)), V: f})
			}
		}
		p.Samples = append(p.Samples, out)
	}
	return p, nil
}

const goodAnswer = `{"status":"success","data":{"resultType":"matrix","result":[
 {"metric":{"__name__":"m","path":"/a\"b\\ü\u00e9","job":"j"},"values":[[1700000000,"1"],[1700000030.5,"2.5"],[1700000060.123,"+Inf"],[1.70000009e9,"1e3"],[1700000100.0004,"NaN"]]},
 {"metric":{},"value":[-1.5,"-0"],"histogram":[1,{"count":"3","buckets":[[0,"1","2","3"]]}]},
 {"histograms":[[1,{"x":"]}"}]],"metric":{"a":""},"values":[]}
],"stats":{"timings":{"x":0.1},"samples":{"totalQueryableSamples":7,"peakSamples":3}}},"infos":["i"]}`

func TestDecodeAgreesWithEncodingJSON(t *testing.T) {
	want, err := naive(t, goodAnswer)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"at one go": strings.NewReader(goodAnswer), "byte by byte": iotest.OneByteReader(strings.NewReader(goodAnswer)),
		"with the end in the last read": iotest.DataErrReader(strings.NewReader(goodAnswer)),
	} {
		t.Run(name, func(t *testing.T) {
			got, a := &tape{}, answer{}
			if err := decode(r, got, &a); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(counting.Sample{}), cmpopts.EquateNaNs()); d != "" {
				t.Error(d)
			}
			if a.nSeries != 3 || a.samples != 6 || a.samplesRead != 7 || a.resultType != "matrix" || a.problem() != nil {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestDecodeOtherShapes(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a scalar", `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"42"]}}`, "1 series, 1 samples"},
		{"null data", `{"status":"success","data":null}`, "0 series, 0 samples"},
		{"a list of names", `{"status":"success","data":["a","b"]}`, "0 series, 0 samples, list a b"},
		{"warnings are a problem", `{"status":"success","data":[],"warnings":["w"]}`, "partial"},
		{"isPartial is a problem", `{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}`, "partial"},
		{"null warnings are none", `{"status":"success","data":[],"warnings":null}`, "0 series, 0 samples"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var a answer
			if err := decode(strings.NewReader(tc.text), &tape{}, &a); err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%d series, %d samples", a.nSeries, a.samples)
			if len(a.list) > 0 {
				got += ", list " + strings.Join(a.list, " ")
			}
			if e, ok := a.problem().(*Error); ok {
				got = string(e.Kind)
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// FuzzDecode: no input crashes the decoder, and where encoding/json accepts an answer of the right
// shape both read the same.
func FuzzDecode(f *testing.F) {
	f.Add(goodAnswer)
	f.Add(`{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)
	f.Add(`{"status":"error","errorType":"bad_data","error":"x\u0000"}`)
	f.Add(`{"a":[{"b":"\\\""}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var a answer
		one := decode(strings.NewReader(text), &tape{}, &a)
		two := decode(iotest.OneByteReader(strings.NewReader(text)), &tape{}, &answer{})
		if (one == nil) != (two == nil) {
			t.Errorf("at one go: %v; byte by byte: %v", one, two)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	var s strings.Builder
	s.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[`)
	for i := range 10_000 {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `{"metric":{"__name__":"http_requests_total","code":"200","instance":"10.0.0.%d:8080","job":"checkout","namespace":"default"},"values":[[1700000000.123,"%d"],[1700000030.123,"%d"]]}`, i, i*7, i*7+3)
	}
	s.WriteString(`]}}`)
	b.SetBytes(int64(s.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := decode(strings.NewReader(s.String()), &skim{}, &answer{}); err != nil {
			b.Fatal(err)
		}
	}
}

type skim struct{ n int }

func (s *skim) series([]byte) bool    { return true }
func (s *skim) sample(int64, float64) { s.n++ }
