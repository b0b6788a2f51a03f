package budget

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// column is a packed run of counts that resemble each other, as those of the hours of a day do: the
// least of them, and by how much each is above it, in as few bytes as the largest needs. Whole
// events are kept as such, not in thousandths. Of counts that are all the same nothing is kept but
// one.
//
// The lowest bytes of all counts come first, then the next higher ones. So each can be read, and
// any of them be added up, without those before.
type column struct {
	above       string // n bytes for each of width bytes
	n, width    int
	least, unit int64
}

const (
	columnWidth = 0x0f
	columnWhole = 0x10 // whole events
)

// appendColumn packs counts, none of them below zero.
func appendColumn(b []byte, counts []int64) []byte {
	unit, head := int64(Unit), byte(columnWhole)
	if slices.ContainsFunc(counts, func(c int64) bool { return c%Unit != 0 }) {
		unit, head = 1, 0
	}
	least := slices.Min(counts)
	width := (bits.Len64(uint64((slices.Max(counts)-least)/unit)) + 7) / 8
	b = append(b, head|byte(width))
	b = binary.AppendUvarint(b, uint64(least/unit))
	for k := range width {
		for _, c := range counts {
			b = append(b, byte(uint64((c-least)/unit)>>(8*k)))
		}
	}
	return b
}

// cutColumn returns the first column, which has n counts, and what follows it.
func cutColumn(packed string, n int) (column, string) {
	c := column{n: n, width: int(packed[0] & columnWidth), unit: 1}
	if packed[0]&columnWhole != 0 {
		c.unit = Unit
	}
	i, least := 1, uint64(0)
	for shift := 0; ; shift += 7 {
		x := packed[i]
		i++
		least |= uint64(x&0x7f) << shift
		if x < 0x80 {
			break
		}
	}
	c.least = int64(least) * c.unit
	c.above, packed = packed[i:i+n*c.width], packed[i+n*c.width:]
	return c, packed
}

// at returns a count.
func (c column) at(i int) int64 {
	above := int64(0)
	for k := range c.width {
		above |= int64(c.above[k*c.n+i]) << (8 * k)
	}
	return c.least + above*c.unit
}

// sum adds up the counts of [from, to). They must not come to more than an int64 holds.
func (c column) sum(from, to int) int64 {
	above := int64(0)
	for k := range c.width {
		of := int64(0)
		for i := from; i < to; i++ {
			of += int64(c.above[k*c.n+i])
		}
		above += of << (8 * k)
	}
	return int64(to-from)*c.least + above*c.unit
}
