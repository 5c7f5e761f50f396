package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are those of sizes: of thousands, and of 1024 (IEC 80000-13).
var units = map[string]float64{
	"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// sizeValue is a number of bytes, which may be written with a unit: 20MB, 1.5 GiB.
type sizeValue[T int | int64] struct{ integerValue[T] }

func size[T int | int64](p *T) value { return sizeValue[T]{integerValue[T]{p}} }

// Set implements value.
func (v sizeValue[T]) Set(s string) error {
	bad := fmt.Errorf("must be a whole number of bytes, such as 20971520, 20MB or 20MiB, not %q", s)
	text := strings.ToLower(strings.TrimSpace(s))
	digits := strings.TrimRight(text, "bkmgti ")
	factor, known := units[strings.TrimSpace(text[len(digits):])]
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || strings.Trim(digits, "+-.0123456789") != "" {
		return bad
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && factor == 1 { // no rounding of what a float cannot hold
		if int64(T(n)) != n {
			return bad
		}
		*v.p = T(n)
		return nil
	}
	bytes := number * factor
	if math.Abs(bytes) >= 1<<53 || bytes != math.Trunc(bytes) || float64(T(bytes)) != bytes {
		return bad
	}
	*v.p = T(bytes)
	return nil
}
