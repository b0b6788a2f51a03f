package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAStandbySaysHowOldWhatItShowsIs: it is ready as long as it knows anything, and well as long
// as somebody evaluates.
func TestAStandbySaysHowOldWhatItShowsIs(t *testing.T) {
	s := newShop(t)
	s.source.standby = true
	h := s.handler()
	for age, healthy := range map[time.Duration]int{20 * time.Second: http.StatusOK, 6 * time.Minute: http.StatusServiceUnavailable} {
		s.source.last.At = now.Add(-age)
		if got := get(h, "/-/healthy"); got.Code != healthy || !strings.HasPrefix(got.Body.String(), "Standing by: another slowburn leads.") {
			t.Errorf("%s: %d %s", age, got.Code, got.Body)
		}
		if got := get(h, "/-/ready"); got.Code != http.StatusOK {
			t.Errorf("%s: %d %s", age, got.Code, got.Body)
		}
		if page := get(h, "/").Body.String(); !strings.Contains(page, "Standing by: another slowburn leads.") {
			t.Errorf("%s: the page does not say so", age)
		}
		want := fmt.Sprintf(`"ageSeconds":%d`, int(age.Seconds()))
		if status := strings.ReplaceAll(get(h, "/api/v1/status").Body.String(), " ", ""); !strings.Contains(status, want) {
			t.Errorf("%s is missing: %s", want, status)
		}
	}
}
