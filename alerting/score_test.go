package alerting

import (
	"testing"
	"time"
)

func TestScoreAgainstLabels(t *testing.T) {
	at := func(m int) time.Time { return time.Unix(int64(m)*60, 0) }
	span := func(from, to int) Span { return Span{at(from), at(to)} }
	s := ScoreAgainst(
		[]Span{span(105, 130), span(131, 140), span(500, 520)},
		[]Span{span(100, 135), span(900, 950)},
	)
	precision, _ := s.Precision()
	recall, _ := s.Recall()
	switch {
	case s.True != 2 || precision < 0.66 || precision > 0.67:
		t.Errorf("two of three alerts were right: %+v", s)
	case s.Found != 1 || recall != 0.5:
		t.Errorf("one of two incidents was found: %+v", s)
	case Median(s.DetectedIn) != 5*time.Minute || Median(s.ResetIn) != 5*time.Minute:
		t.Errorf("found after 5 minutes and reset 5 minutes after the end: %+v", s)
	}
	if _, ok := ScoreAgainst(nil, nil).Precision(); ok {
		t.Error("no alerts have no precision")
	}
}
