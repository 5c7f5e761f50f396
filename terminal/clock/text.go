package clock

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// parts are the parsed parts of a date and a time of day.
type parts struct {
	year, day            int
	month                time.Month
	hour, minute, second int
	fraction, step       time.Duration
	// half is "am", "pm" or empty, weekday a time.Weekday or -1.
	half    string
	weekday int
	// other is the alternative month of a day and a month in figures; zero for none.
	other time.Month
}

// reading combines the parts into a Wall, or returns the reason why it cannot.
func (p parts) reading() (Reading, string) {
	hour, ok := p.hour24()
	if !ok || p.minute > 59 || p.second > 59 {
		return Reading{}, impossible
	}
	at, fits := p.date(p.month, p.day)
	if p.other != 0 && int(p.month) != p.day {
		other, otherFits := p.date(p.other, int(p.month))
		switch {
		case fits && otherFits:
			return Reading{}, dayOrMonth
		case otherFits:
			at, fits = other, true
		}
	}
	if !fits {
		return Reading{}, impossible
	}
	at = at.Add(time.Duration(hour)*time.Hour + time.Duration(p.minute)*time.Minute + time.Duration(p.second)*time.Second + p.fraction)
	return Reading{Kind: Wall, At: at, Step: p.step}, ""
}

// date returns the beginning of a day in UTC; false where the day does not exist, or has
// another weekday than the parsed one.
func (p parts) date(month time.Month, day int) (time.Time, bool) {
	at := time.Date(p.year, month, day, 0, 0, 0, 0, time.UTC)
	ok := month >= 1 && month <= 12 && at.Month() == month && at.Day() == day && day >= 1
	return at, ok && (p.weekday < 0 || at.Weekday() == time.Weekday(p.weekday))
}

// hour24 returns the hour of the day; false where it does not exist.
func (p parts) hour24() (int, bool) {
	switch {
	case p.hour > 23:
		return 0, false
	case p.half == "am":
		return p.hour % 12, p.hour <= 12
	case p.half == "pm" && p.hour == 0:
		return 0, false
	case p.half == "pm" && p.hour < 12:
		return p.hour + 12, true
	}
	return p.hour, true
}

// parseText parses a text that is not digits alone.
func parseText(text string) (Reading, string) {
	s := &scanner{text: text, parts: parts{weekday: -1}}
	s.skipWeekday()
	clockFirst := s.atClock()
	if clockFirst {
		if reason := s.clock(); reason != "" {
			return Reading{}, reason
		}
		s.take(",")
		s.space()
	}
	hasYear, reason := s.date()
	if reason != "" {
		return Reading{}, reason
	}
	if !clockFirst {
		s.between()
		if !s.atClock() && !s.atBasicClock() {
			if s.rest() == "" {
				return Reading{}, noClock
			}
			return Reading{}, noTime
		}
		if reason := s.clock(); reason != "" {
			return Reading{}, reason
		}
	}
	rest := s.rest()
	if !hasYear { // ctime(3) and date(1) write the year at the end
		cut := strings.LastIndexByte(rest, ' ') + 1
		if len(rest)-cut != 4 || !digitsOnly(rest[cut:]) {
			return Reading{}, noDate
		}
		s.year, rest = number(rest[cut:]), strings.TrimSpace(rest[:cut])
	}
	reading, reason := s.reading()
	if reason != "" {
		return Reading{}, reason
	}
	return inZone(reading, rest)
}

// scanner scans a text from the left.
type scanner struct {
	text string
	at   int
	parts
}

func (s *scanner) rest() string { return strings.TrimSpace(s.text[s.at:]) }

func (s *scanner) space() {
	for s.at < len(s.text) && s.text[s.at] == ' ' {
		s.at++
	}
}

// peek returns the next character, 0 at the end.
func (s *scanner) peek() rune {
	if s.at == len(s.text) {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.at:])
	return r
}

// take consumes the next character where it is in the set.
func (s *scanner) take(set string) rune {
	r := s.peek()
	if r == 0 || !strings.ContainsRune(set, r) {
		return 0
	}
	s.at += utf8.RuneLen(r)
	return r
}

// digits consumes up to limit digits; where more follow, none.
func (s *scanner) digits(limit int) string {
	end := s.at
	for end < len(s.text) && s.text[end] >= '0' && s.text[end] <= '9' {
		end++
	}
	if end-s.at > limit {
		return ""
	}
	found := s.text[s.at:end]
	s.at = end
	return found
}

// letters consumes letters of ASCII.
func (s *scanner) letters() string {
	end := s.at
	for end < len(s.text) && (s.text[end]|0x20 >= 'a' && s.text[end]|0x20 <= 'z') {
		end++
	}
	found := s.text[s.at:end]
	s.at = end
	return strings.ToLower(found)
}

// skipWeekday consumes the name of a weekday, with the punctuation after it.
func (s *scanner) skipWeekday() {
	from := s.at
	s.space()
	day, ok := weekdays[s.letters()]
	if !ok || s.weekday >= 0 {
		s.at = from
		return
	}
	s.weekday = int(day)
	s.take(".")
	s.take(",")
	s.space()
}

// date consumes a date; one that ends before its year ("Wed Apr 10") has none yet.
func (s *scanner) date() (hasYear bool, reason string) {
	if name := s.month(); name != 0 { // Apr 10, 2024; Apr 10 10:00:07 2024
		s.parts.month = name
		s.take(".-/")
		s.space()
		if s.day = number(s.digits(2)); s.day == 0 {
			return false, noTime
		}
		from := s.at
		s.take(",-/")
		s.space()
		if s.atClock() {
			return false, ""
		}
		if year := s.digits(4); len(year) == 4 {
			s.year = number(year)
			return true, ""
		}
		s.at = from
		return false, noTime
	}
	first := s.digits(8)
	switch {
	case len(first) == 8:
		s.year, s.parts.month, s.day = number(first[:4]), time.Month(number(first[4:6])), number(first[6:])
		return true, ""
	case len(first) != 4 && (len(first) < 1 || len(first) > 2):
		return false, noTime
	}
	between := s.separator()
	if between == 0 {
		return false, noTime
	}
	if len(first) == 4 {
		s.year = number(first)
		return true, s.monthAndDay(between)
	}
	return true, s.dayAndMonth(first, between)
}

// month consumes the name of a month.
func (s *scanner) month() time.Month {
	from := s.at
	month, ok := months[s.letters()]
	if !ok {
		s.at = from
		return 0
	}
	return month
}

// separator consumes the separator between the parts of a date.
func (s *scanner) separator() rune {
	from := s.at
	s.space()
	between := s.take("-/.年")
	if between == 0 && s.at > from {
		between = ' ' // 10 Apr 2024
	}
	s.space()
	return between
}

// monthAndDay consumes the rest of a date after a year.
func (s *scanner) monthAndDay(between rune) string {
	if s.parts.month = s.month(); s.parts.month == 0 {
		s.parts.month = time.Month(number(s.digits(2)))
		if between == ' ' {
			return noTime
		}
	}
	s.space()
	want := string(between)
	if between == '年' {
		want = "月"
	}
	if between != ' ' && s.take(want) == 0 {
		return noTime
	}
	s.space()
	if s.day = number(s.digits(2)); s.day == 0 || s.parts.month == 0 {
		return impossible
	}
	from := s.at
	s.space()
	switch {
	case between == '年' && s.take("日") == 0:
		return noTime
	case between == '.' && s.take(".") != 0: // 2024. 4. 10.
	case between != '年':
		s.at = from
	}
	return ""
}

// dayAndMonth consumes the rest of a date after a day, or after a month before a day.
func (s *scanner) dayAndMonth(first string, between rune) string {
	s.day = number(first)
	name := s.month()
	second := ""
	if s.parts.month = name; name == 0 {
		if between == ' ' || between == '年' {
			return noTime
		}
		if second = s.digits(2); second == "" {
			return noTime
		}
		// 10/04/2024 is ambiguous: April or October.
		s.parts.month, s.other = time.Month(number(second)), time.Month(s.day)
	}
	s.take(".")
	s.space()
	s.take("-/.,")
	s.space()
	year := s.digits(4)
	switch len(year) {
	case 4:
		s.year = number(year)
		return ""
	case 1, 2:
		return shortYear
	default:
		return noTime
	}
}

// between consumes the separator between a date and a time of day.
func (s *scanner) between() {
	s.space()
	if rest := s.text[s.at:]; len(rest) > 1 && rest[0]|0x20 == 't' && rest[1] >= '0' && rest[1] <= '9' {
		s.at++
		return
	}
	s.take("_,-/")
	s.space()
	s.skipWeekday()
	s.space()
	if strings.HasPrefix(s.text[s.at:], "at ") {
		s.at += len("at ")
	}
}

// atClock reports whether a time of day is next, perhaps after AM or PM.
func (s *scanner) atClock() bool {
	ahead := *s
	ahead.takeHalf()
	hour := ahead.digits(2)
	ahead.space()
	return hour != "" && (ahead.take(":时") != 0 || ahead.takesThree("-") || ahead.takesThree("."))
}

// atBasicClock reports whether hhmmss or hhmm is next.
func (s *scanner) atBasicClock() bool {
	ahead := *s
	return slices.Contains([]int{4, 6}, len(ahead.digits(6)))
}

// takesThree reports whether a separator and two numbers with it in between are next: the
// rest of a time of day. A date ends with a year of four digits.
func (s *scanner) takesThree(separator string) bool {
	return s.take(separator) != 0 && s.digits(2) != "" && s.take(separator) != 0 && s.digits(2) != ""
}

// takeHalf consumes AM or PM.
func (s *scanner) takeHalf() {
	from := s.at
	s.space()
	switch half := s.letters(); half {
	case "am", "pm":
		if s.half == "" {
			s.half = half
			s.space()
			return
		}
	}
	s.at = from
}

// clock consumes a time of day.
func (s *scanner) clock() string {
	s.takeHalf()
	if s.atBasicClock() {
		basic := s.digits(6)
		s.hour, s.minute, s.step = number(basic[:2]), number(basic[2:4]), time.Minute
		if len(basic) == 6 {
			s.second = number(basic[4:])
			s.takeFraction()
		}
		return ""
	}
	s.hour = number(s.digits(2))
	s.space()
	between := s.take(":时-.")
	s.space()
	minute := s.digits(2)
	if minute == "" {
		return noTime
	}
	s.minute, s.step = number(minute), time.Minute
	if reason := s.takeSeconds(between); reason != "" {
		return reason
	}
	s.takeHalf()
	return ""
}

// takeSeconds consumes seconds, where there are any.
func (s *scanner) takeSeconds(between rune) string {
	from := s.at
	want := map[rune]string{':': ":", '时': "分", '-': "-", '.': "."}[between]
	s.space()
	if s.take(want) == 0 {
		s.at = from
		if between == '时' {
			return noTime
		}
		return ""
	}
	s.space()
	second := s.digits(2)
	if second == "" {
		if between == '时' {
			return "" // 10时05分
		}
		return noTime
	}
	s.second = number(second)
	s.takeFraction()
	if between == '时' && s.take("秒") == 0 {
		return noTime
	}
	return ""
}

// takeFraction consumes a fraction of a second: .123 or ,123, or :123 for milliseconds.
func (s *scanner) takeFraction() {
	s.step = time.Second
	from := s.at
	mark := s.take(".,:")
	digits := s.digits(maxText)
	if mark == 0 || digits == "" || mark == ':' && len(digits) != 3 {
		s.at = from
		return
	}
	s.fraction, s.step = fractionOf(digits)
}

func digitsOnly(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
