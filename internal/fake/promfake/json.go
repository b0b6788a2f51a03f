package promfake

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/stats"
)

// Most samples of an answer are two numbers. Reflection would cost more than the query, so
// everything large appends itself to a byte slice.

// appender appends its JSON form to b.
type appender interface{ appendJSON(b []byte) []byte }

// raw is JSON that is ready.
type raw []byte

func (r raw) appendJSON(b []byte) []byte { return append(b, r...) }

// jsonValue is anything small enough for encoding/json.
type jsonValue struct{ v any }

func (j jsonValue) appendJSON(b []byte) []byte {
	enc, err := json.Marshal(j.v)
	if err != nil {
		panic(err) // strings, numbers, times and maps of them always encode
	}
	return append(b, enc...)
}

// maxNotes is how many warnings and how many infos an answer carries at most.
const maxNotes = 10

// writeAnswer writes the success envelope.
func writeAnswer(w http.ResponseWriter, a *answer) {
	b := append([]byte(nil), `{"status":"success","data":`...)
	b = a.data.appendJSON(b)
	warnings, infos := a.notes.AsStrings(a.query, maxNotes, maxNotes)
	b = appendTexts(b, "warnings", warnings)
	b = appendTexts(b, "infos", infos)
	b = append(b, '}')
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // a client that went away is not our failure
}

func appendTexts(b []byte, field string, texts []string) []byte {
	if len(texts) == 0 {
		return b
	}
	b = append(b, `,"`+field+`":`...)
	return jsonValue{texts}.appendJSON(b)
}

// writeError writes the error envelope with the status code of its type.
func writeError(w http.ResponseWriter, e *apiError) {
	writeErrorBody(w, e.status(), e.typ, e.err.Error())
}

func writeErrorBody(w http.ResponseWriter, status int, typ, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(jsonValue{struct {
		Status    string `json:"status"`
		ErrorType string `json:"errorType"`
		Error     string `json:"error"`
	}{"error", typ, text}}.appendJSON(nil))
}

// appendQueryData appends the data of a query's answer.
func appendQueryData(b []byte, v parser.Value, qs stats.QueryStats) []byte {
	b = append(b, `{"resultType":"`+string(v.Type())+`","result":`...)
	b = appendValue(b, v)
	if qs != nil {
		b = append(b, `,"stats":`...)
		b = jsonValue{qs}.appendJSON(b)
	}
	return append(b, '}')
}

func appendValue(b []byte, v parser.Value) []byte {
	switch v := v.(type) {
	case promql.Matrix:
		return appendList(b, v, appendSeries)
	case promql.Vector:
		return appendList(b, v, appendSample)
	case promql.Scalar:
		return appendFloatPoint(b, promql.FPoint{T: v.T, F: v.V})
	case promql.String:
		b = append(b, '[')
		b = appendTimestamp(b, v.T)
		b = append(b, ',')
		b = appendString(b, v.V)
		return append(b, ']')
	}
	return append(b, "null"...)
}

func appendList[T any](b []byte, list []T, item func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, v)
	}
	return append(b, ']')
}

func appendSeries(b []byte, s promql.Series) []byte {
	b = append(b, `{"metric":`...)
	b = appendLabels(b, s.Metric)
	if len(s.Floats) > 0 {
		b = append(b, `,"values":`...)
		b = appendList(b, s.Floats, appendFloatPoint)
	}
	if len(s.Histograms) > 0 {
		b = append(b, `,"histograms":`...)
		b = appendList(b, s.Histograms, appendHistogramPoint)
	}
	return append(b, '}')
}

func appendSample(b []byte, s promql.Sample) []byte {
	b = append(b, `{"metric":`...)
	b = appendLabels(b, s.Metric)
	if s.H != nil {
		b = append(b, `,"histogram":`...)
		b = appendHistogramPoint(b, promql.HPoint{T: s.T, H: s.H})
	} else {
		b = append(b, `,"value":`...)
		b = appendFloatPoint(b, promql.FPoint{T: s.T, F: s.F})
	}
	return append(b, '}')
}

func appendFloatPoint(b []byte, p promql.FPoint) []byte {
	b = append(b, '[')
	b = appendTimestamp(b, p.T)
	b = append(b, ',')
	b = appendFloat(b, p.F)
	return append(b, ']')
}

func appendHistogramPoint(b []byte, p promql.HPoint) []byte {
	b = append(b, '[')
	b = appendTimestamp(b, p.T)
	b = append(b, ',')
	b = appendHistogram(b, p.H)
	return append(b, ']')
}

func appendHistogram(b []byte, h *histogram.FloatHistogram) []byte {
	b = append(b, `{"count":`...)
	b = appendFloat(b, h.Count)
	b = append(b, `,"sum":`...)
	b = appendFloat(b, h.Sum)
	var buckets []histogram.Bucket[float64]
	for it := h.AllBucketIterator(); it.Next(); {
		if bucket := it.At(); bucket.Count != 0 {
			buckets = append(buckets, bucket)
		}
	}
	if len(buckets) > 0 {
		b = append(b, `,"buckets":`...)
		b = appendList(b, buckets, appendBucket)
	}
	return append(b, '}')
}

// appendBucket writes [boundaries,"lower","upper","count"], where boundaries is 0 for
// (lower,upper], 1 for [lower,upper), 2 for both open, 3 for both closed.
func appendBucket(b []byte, k histogram.Bucket[float64]) []byte {
	kind := byte('2')
	switch {
	case k.LowerInclusive && k.UpperInclusive:
		kind = '3'
	case k.LowerInclusive:
		kind = '1'
	case k.UpperInclusive:
		kind = '0'
	}
	b = append(b, '[', kind)
	for _, f := range []float64{k.Lower, k.Upper, k.Count} {
		b = append(b, ',')
		b = appendFloat(b, f)
	}
	return append(b, ']')
}

// appendTimestamp writes milliseconds as seconds, with a fraction if any.
func appendTimestamp(b []byte, ms int64) []byte {
	if ms < 0 {
		b = append(b, '-')
		ms = -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if frac := ms % 1000; frac != 0 {
		b = append(b, '.', byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
	}
	return b
}

// appendFloat writes a value as text in quotes, for JSON has no NaN or Inf.
func appendFloat(b []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = append(b, '"')
	b = strconv.AppendFloat(b, f, format, -1, 64)
	return append(b, '"')
}

func appendLabels(b []byte, lset labels.Labels) []byte {
	b = append(b, '{')
	first := true
	lset.Range(func(l labels.Label) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, l.Name)
		b = append(b, ':')
		b = appendString(b, l.Value)
	})
	return append(b, '}')
}

// appendString quotes s. Plain text, which labels nearly always are, is copied.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f || c == '<' || c == '>' || c == '&' {
			return jsonValue{s}.appendJSON(b)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// labelSets is the data of /series.
type labelSets []labels.Labels

func (l labelSets) appendJSON(b []byte) []byte { return appendList(b, l, appendLabels) }

// exemplars is the data of /query_exemplars.
type exemplars []exemplar.QueryResult

func (e exemplars) appendJSON(b []byte) []byte {
	return appendList(b, e, func(b []byte, r exemplar.QueryResult) []byte {
		b = append(b, `{"seriesLabels":`...)
		b = appendLabels(b, r.SeriesLabels)
		b = append(b, `,"exemplars":`...)
		b = appendList(b, r.Exemplars, appendExemplar)
		return append(b, '}')
	})
}

func appendExemplar(b []byte, e exemplar.Exemplar) []byte {
	b = append(b, `{"labels":`...)
	b = appendLabels(b, e.Labels)
	b = append(b, `,"value":`...)
	b = appendFloat(b, e.Value)
	b = append(b, `,"timestamp":`...)
	b = appendTimestamp(b, e.Ts)
	return append(b, '}')
}
