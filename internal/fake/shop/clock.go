package shop

import "time"

// Clock maps the wall clock to the shop's time, which runs Speed times faster: when the wall shows
// Wall, the shop's clock shows Shop.
type Clock struct {
	Wall  time.Time // an instant on the wall clock
	Shop  time.Time // the same instant on the shop's clock
	Speed float64   // shop seconds per real second; 1 is real time, 0 stands still
}

// At returns the shop's time when the wall clock shows wall.
func (c Clock) At(wall time.Time) time.Time {
	return c.Shop.Add(time.Duration(float64(wall.Sub(c.Wall)) * c.Speed))
}

// Until returns how long to wait in real time, from wall on, until the shop's clock shows t. It is
// not positive when that moment has passed. Speed must not be 0.
func (c Clock) Until(t, wall time.Time) time.Duration {
	return time.Duration(float64(t.Sub(c.At(wall))) / c.Speed)
}
