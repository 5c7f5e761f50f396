package clock

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	decimal = regexp.MustCompile(`^([+-]?)([0-9]+)(?:[.,]([0-9]*))?(?:[eE]\+?([0-9]{1,2}))?$`)
	// dotNet is a Date in the JSON of .NET: milliseconds since 1970, in UTC whatever the
	// offset after it.
	dotNet = regexp.MustCompile(`^/Date\(([0-9]{13})(?:[+-][0-9]{4})?\)/$`)
)

// parseNumber parses digits alone: a count since 1970, or a date and time without
// separators. The number of digits determines which: for each length only one is a time of
// this century. isNumber is false for any other text.
func parseNumber(text string) (reading Reading, reason string, isNumber bool) {
	if found := dotNet.FindStringSubmatch(text); found != nil {
		text = found[1]
	}
	found := decimal.FindStringSubmatch(text)
	if found == nil {
		return Reading{}, "", false
	}
	whole, fraction := found[2], found[3]
	if exponent := found[4]; exponent != "" {
		n, _ := strconv.Atoi(exponent) // two digits
		if n > len(fraction) {
			return Reading{}, rounded, true
		}
		whole, fraction = whole+fraction[:n], fraction[n:]
	}
	if found[1] != "" {
		return Reading{}, noTime, true
	}
	switch units := strings.TrimLeft(whole, "0"); len(units) {
	case 10:
		reading, reason = since1970(units, fraction, time.Second)
	case 13:
		reading, reason = since1970(units, fraction, time.Millisecond)
	case 16:
		reading, reason = since1970(units, fraction, time.Microsecond)
	case 19:
		reading, reason = since1970(units, fraction, time.Nanosecond)
	case 14:
		reading, reason = compact(units, fraction)
	case 17:
		if fraction != "" {
			return Reading{}, noTime, true
		}
		reading, reason = compact(units[:14], units[14:])
	case 8:
		reason = noClock
	default:
		reason = noTime
	}
	return reading, reason, true
}

// since1970 parses a count of units, and a fraction of one.
func since1970(count, fraction string, unit time.Duration) (Reading, string) {
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return Reading{}, noTime
	}
	perSecond := int64(time.Second / unit)
	at := time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC()
	step := unit
	if unit == time.Second {
		var part time.Duration
		part, step = fractionOf(fraction)
		at = at.Add(part)
	}
	return Reading{Kind: Instant, At: at, Step: step}, ""
}

// compact parses YYYYMMDDhhmmss.
func compact(digits, fraction string) (Reading, string) {
	p := parts{weekday: -1}
	p.year, p.month, p.day = number(digits[:4]), time.Month(number(digits[4:6])), number(digits[6:8])
	p.hour, p.minute, p.second = number(digits[8:10]), number(digits[10:12]), number(digits[12:14])
	p.fraction, p.step = fractionOf(fraction)
	return p.reading()
}

// fractionOf returns the fraction of a second in digits, and its precision.
func fractionOf(digits string) (fraction, step time.Duration) {
	step = time.Second
	for i := 0; i < len(digits) && i < 9; i++ {
		step /= 10
		fraction += time.Duration(digits[i]-'0') * step
	}
	return fraction, step
}

// number parses a few digits.
func number(digits string) int {
	n, _ := strconv.Atoi(digits) // digits alone
	return n
}
