package clock

import (
	"strings"
	"time"

	"edgelens/internal/clip"
)

const (
	// maxText is the maximum length of a time in bytes; browsers write some 60.
	maxText = 96
	// maxShown is the maximum length of Reading.Text.
	maxShown = 40
	// firstYear and lastYear bound a year. A time.Time cannot be marshaled beyond four
	// digits, and other calendars (Persian, Buddhist, Minguo) are outside of them.
	firstYear, lastYear = 1970, 2199
)

// Parse parses a time in one of the notations that firmware is known to use:
//
//   - year, month and day separated by "-", "/", "." or 年月日, with or without leading
//     zeros; day and month in figures first only where no other reading is possible; month
//     names in English (RFC 1123, RFC 850 with four digits for the year, ctime(3), date(1),
//     JavaScript's toString);
//   - ISO 8601 in its basic form, fourteen digits, an optional fraction of a second;
//   - hours, minutes and seconds, or only the first two, separated by ":" or 时分秒, "-" or
//     "."; AM and PM in English, Chinese, Japanese and Korean;
//   - seconds, milliseconds, microseconds or nanoseconds since 1970 as 10, 13, 16 or 19
//     digits, with or without a fraction or an exponent; .NET's /Date(...)/;
//   - a zone after it: Z, UTC, GMT, +08, +0800, +08:00, UTC+8, Asia/Shanghai, optionally
//     followed by [Asia/Shanghai] or (China Standard Time).
//
// A text with two digits for the year, a date alone, a time of day alone, an abbreviation
// for a zone ("CST" has three meanings), or anything else in it is Unreadable.
func Parse(text string) Reading {
	shown := clip.ASCII(text, maxShown)
	fail := func(reason string) Reading { return Reading{Kind: Unreadable, Text: shown, Reason: reason} }
	if len(text) > maxText {
		return fail("it is too long")
	}
	text, ok := normalize(text)
	if !ok {
		return fail(noTime)
	}
	if text == "" {
		return Reading{}
	}
	reading, reason, isNumber := parseNumber(text)
	if !isNumber {
		reading, reason = parseText(text)
	}
	if reason != "" {
		return fail(reason)
	}
	if year := reading.At.Year(); year < firstYear || year > lastYear {
		return fail("its year is not from 1970 to 2199")
	}
	reading.Text = shown
	return reading
}

// The reasons why a text is Unreadable.
const (
	noTime     = "it is not a time in a known notation"
	noDate     = "it has no date"
	noClock    = "it has no time of day"
	impossible = "there is no such day or time of day"
	shortYear  = "its year has two digits"
	dayOrMonth = "its day and its month could be the other way round"
	zoneUnsure = "its time zone is unknown"
	rounded    = "the number is rounded"
)

// words translates words in other scripts. Longer ones precede their own prefixes.
var words = strings.NewReplacer(
	"星期一", " Mon ", "星期二", " Tue ", "星期三", " Wed ", "星期四", " Thu ", "星期五", " Fri ", "星期六", " Sat ", "星期日", " Sun ", "星期天", " Sun ",
	"周一", " Mon ", "周二", " Tue ", "周三", " Wed ", "周四", " Thu ", "周五", " Fri ", "周六", " Sat ", "周日", " Sun ",
	"上午", " AM ", "下午", " PM ", "午前", " AM ", "午後", " PM ", "오전", " AM ", "오후", " PM ",
	"a.m.", " AM ", "p.m.", " PM ", "A.M.", " AM ", "P.M.", " PM ",
	"年", "年", "년", "年", "月", "月", "월", "月", "日", "日", "号", "日", "일", "日",
	"時", "时", "点", "时", "시", "时", "分", "分", "분", "分", "秒", "秒", "초", "秒", "−", "-",
)

// normalize returns the text with full-width characters as ASCII, words of other scripts for
// AM, PM and days of the week in English, and the units of date and time of day as one
// character each, of which 年月日时分秒 remain; false where any other character is not ASCII.
func normalize(text string) (string, bool) {
	ok := true
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\u3000', r == '\u00a0', r == '\u202f', r == '\t':
			return ' '
		case r >= '\uff01' && r <= '\uff5e':
			return r - 0xfee0
		case r == '\r', r == '\n', r == 0, r < ' ', r == 0x7f:
			ok = ok && (r == '\r' || r == '\n' || r == 0)
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSpace(words.Replace(text))
	for _, r := range text {
		ok = ok && (r < 0x80 || strings.ContainsRune("年月日时分秒", r))
	}
	return text, ok
}

// months and weekdays are the English names, in full and as their first three letters.
var (
	months   = map[string]time.Month{}
	weekdays = map[string]time.Weekday{}
)

func init() {
	for m := time.January; m <= time.December; m++ {
		months[strings.ToLower(m.String())], months[strings.ToLower(m.String()[:3])] = m, m
	}
	months["sept"] = time.September
	for d := time.Sunday; d <= time.Saturday; d++ {
		weekdays[strings.ToLower(d.String())], weekdays[strings.ToLower(d.String()[:3])] = d, d
	}
	weekdays["tues"], weekdays["wednes"], weekdays["thur"], weekdays["thurs"] = time.Tuesday, time.Wednesday, time.Thursday, time.Thursday
}

// Day parses a date without a time of day, as a Wall at noon; false for anything else.
func Day(text string) (Reading, bool) {
	for _, noon := range []string{" 12:00:00", "T120000"} {
		reading := Parse(text + noon)
		if reading.Kind == Wall && reading.Zone == nil && Parse(text).Kind == Unreadable {
			reading.Text = clip.ASCII(text, maxShown)
			return reading, true
		}
	}
	return Reading{}, false
}
