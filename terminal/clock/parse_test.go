package clock_test

import (
	"strings"
	"testing"
	"time"

	"edgelens/terminal/clock"
)

// wall and instant are the two kinds of readings that are times.
func wall(step time.Duration, parts ...int) clock.Reading {
	return clock.Reading{Kind: clock.Wall, At: date(parts...), Step: step}
}

func instant(step time.Duration, parts ...int) clock.Reading {
	return clock.Reading{Kind: clock.Instant, At: date(parts...), Step: step}
}

// date returns the time with hour, minute, second and millisecond of 2024-04-10, then another
// day, month and year.
func date(p ...int) time.Time {
	all := []int{10, 0, 7, 0, 10, 4, 2024}
	copy(all, p)
	return time.Date(all[6], time.Month(all[5]), all[4], all[0], all[1], all[2], all[3]*1e6, time.UTC)
}

// The notations that firmware, and the libraries that it uses, are known to write. All are
// of 2024-04-10 10:00:07, unless stated otherwise.
func TestParse(t *testing.T) {
	const s, ms, minute = time.Second, time.Millisecond, time.Minute
	local, utc, east := wall(s), instant(s), instant(s, 2)
	unreadable := clock.Reading{Kind: clock.Unreadable}
	for text, want := range map[string]clock.Reading{
		// Year, month, day.
		"2024-04-10 10:00:07": local, "2024/04/10 10:00:07": local, "2024.04.10 10:00:07": local, "2024-04-10T10:00:07": local,
		"2024-04-10t10:00:07": local, "2024-04-10_10:00:07": local, "2024-04-10-10:00:07": local, "2024/04/10-10:00:07": local,
		"2024-04-10, 10:00:07": local, "2024/4/10/10:00:07": local, "  2024-04-10  10:00:07 \n": local, "2024-4-10 10:0:7": local,
		"2024-4-10 9:5:7": wall(s, 9, 5), "2024/4/1 1:2:3": wall(s, 1, 2, 3, 0, 1), "2024- 4-10 10: 0: 7": local, "2024-04-10 10:00": wall(minute, 10, 0, 0),
		"2024-04-10T10:00": wall(minute, 10, 0, 0), "2024-04-10 10-00-07": local, "2024-04-10_10-00-07": local, "2024-04-10-10-00-07": local,
		"2024.04.10 10.00.07": local, "2024-Apr-10 10:00:07": local, "2024/April/10 10:00:07": local, "2024-04-10 Wed 10:00:07": local,
		"2024-04-10 100007": local, "10:00:07 2024-04-10": local, "10:00:07, 2024/4/10": local,
		"2024-02-29 10:00:07": wall(s, 10, 0, 7, 0, 29, 2), "1970-01-01 00:00:00": wall(s, 0, 0, 0, 0, 1, 1, 1970), "2199-12-31 23:59:59": wall(s, 23, 59, 59, 0, 31, 12, 2199),
		// Fractions.
		"2024-04-10 10:00:07.123": wall(ms, 10, 0, 7, 123), "2024-04-10 10:00:07,123": wall(ms, 10, 0, 7, 123), "2024-04-10 10:00:07:123": wall(ms, 10, 0, 7, 123),
		"2024-04-10T10:00:07.5Z": instant(100*ms, 10, 0, 7, 500), "2024-04-10 10:00:07.123456789012": clock.Reading{Kind: clock.Wall, At: date().Add(123456789), Step: 1},
		"2024-04-10 10:00:07.": unreadable, "2024-04-10 10:00:07:12": unreadable,
		// Chinese, Japanese, Korean; full-width characters.
		"2024年04月10日 10时00分07秒": local, "2024年4月10日10:00:07": local, "2024年4月10日 上午10:00:07": local, "2024年4月10日 星期三 10:00:07": local,
		"2024年4月10日10時0分7秒": local, "2024年4月10日 下午3点5分7秒": wall(s, 15, 5), "2024年4月10日 10时05分": wall(minute, 10, 5, 0), "2024/4/10 周三 10:00:07": local,
		"2024년 4월 10일 오후 3시 5분 7초": wall(s, 15, 5), "2024. 4. 10. 오전 10:00:07": local, "２０２４－０４－１０　１０：００：０７": local, "2024年4月10日 午後3:05:07": wall(s, 15, 5),
		"2024年4月10日 星期四 10:00:07": unreadable, "2024年4月10": unreadable,
		// AM and PM.
		"2024-04-10 10:00:07 AM": local, "2024-04-10 10:00:07AM": local, "2024-04-10 10:00:07 am": local, "2024-04-10 3:05:07 PM": wall(s, 15, 5), "2024-04-10 PM 3:05:07": wall(s, 15, 5),
		"2024-04-10 12:00:07 AM": wall(s, 0), "2024-04-10 12:00:07 PM": wall(s, 12), "2024-04-10 3:05 p.m.": wall(minute, 15, 5, 0), "2024-04-10 10:00:07\u202fAM": local,
		"2024-04-10 15:05:07 PM": wall(s, 15, 5), "2024-04-10 15:05:07 AM": unreadable, "2024-04-10 0:05:07 PM": unreadable,
		"2024-04-10 AM 10:00:07 PM": unreadable,
		// Names of months: RFC 1123, RFC 850, ctime, date, JavaScript, Go.
		"Wed, 10 Apr 2024 10:00:07 GMT": utc, "Wed, 10 Apr 2024 10:00:07 +0800": east, "10 Apr 2024 10:00:07": local, "10-Apr-2024 10:00:07": local, "Wednesday, 10-Apr-2024 10:00:07 GMT": utc,
		"Wed Apr 10 10:00:07 2024": local, "Wed Apr 10 10:00:07 UTC 2024": utc, "Wed Apr 10 10:00:07 +0800 2024": east, "Apr 10, 2024 10:00:07 AM": local, "April 10, 2024 at 10:00:07 AM": local,
		"Wed Apr  3 10:00:07 2024": wall(s, 10, 0, 7, 0, 3), "Wed Apr 10 2024 10:00:07 GMT+0800 (China Standard Time)": east, "2024-04-10 10:00:07 +0800 CST": east, "2024-04-10 10:00:07 +0000 UTC": utc,
		"Thu, 10 Apr 2024 10:00:07 GMT": unreadable, "Wed Apr 10 10:00:07 CST 2024": unreadable, "Wed, 10 Apr 24 10:00:07 GMT": unreadable,
		"Wed Apr 10 10:00:07": unreadable, "10 Avr 2024 10:00:07": unreadable, "2024-04-10 10:00:07 +0800 UTC": unreadable,
		// Day and month in figures, only where nothing else is possible.
		"25/04/2024 10:00:07": wall(s, 10, 0, 7, 0, 25), "04/25/2024 10:00:07": wall(s, 10, 0, 7, 0, 25), "25.4.2024 10:00": wall(minute, 10, 0, 0, 0, 25), "04-04-2024 10:00:07": wall(s, 10, 0, 7, 0, 4),
		"Wed 10/04/2024 10:00:07": local, "Wed 04/10/2024 10:00:07": local, "10:00:07 25/04/2024": wall(s, 10, 0, 7, 0, 25),
		"10/04/2024 10:00:07": unreadable, "10.04.2024 10:00:07": unreadable, "04-10-2024 10:00:07": unreadable, "3/4/2026 1:00:00 AM": unreadable,
		"31/02/2024 10:00:07": unreadable, "13/13/2024 10:00:07": unreadable, "24-04-10 10:00:07": unreadable, "10/04/24 10:00:07": unreadable,
		// Digits alone.
		"20240410100007": local, "20240410T100007": local, "20240410T100007Z": utc, "20240410T1000": wall(minute, 10, 0, 0), "20240410 100007": local, "20240410 10:00:07": local, "20240410100007123": wall(ms, 10, 0, 7, 123),
		"20240410100007.5": wall(100*ms, 10, 0, 7, 500), "20240410T100007+0800": east, "20240410T100007.250Z": instant(10*ms/10, 10, 0, 7, 250),
		"1712743207": utc, "1712743207.5": instant(100*ms, 10, 0, 7, 500), "1712743207.000": instant(ms), "1712743207123": instant(ms, 10, 0, 7, 123), "1712743207123000": instant(time.Microsecond, 10, 0, 7, 123), "1712743207123000000": instant(1, 10, 0, 7, 123),
		"1712743207123.9": instant(ms, 10, 0, 7, 123), "1.712743207E9": utc, "1.712743207123e12": instant(ms, 10, 0, 7, 123), "1.7127432075e+09": instant(100*ms, 10, 0, 7, 500), "/Date(1712743207123)/": instant(ms, 10, 0, 7, 123), "/Date(1712743207123+0800)/": instant(ms, 10, 0, 7, 123),
		"1.7e9": unreadable, "1.71274e+09": unreadable, "-1712743207": unreadable, "0": unreadable, "17": unreadable, "171274320": unreadable,
		"17127432071": unreadable, "202404101000": unreadable, "20240410": unreadable, "20240230100007": unreadable, "20240410250007": unreadable,
		"240410100007": unreadable, "99999999999999999999999": unreadable, "9999999999": unreadable, "1e9999": unreadable, "1712743207e0": utc,
		// Zones.
		"2024-04-10T10:00:07Z": utc, "2024-04-10 10:00:07z": utc, "2024-04-10 10:00:07 UTC": utc, "2024-04-10 10:00:07 GMT": utc, "2024-04-10T10:00:07+08": east, "2024-04-10T10:00:07+0800": east, "2024-04-10T10:00:07+08:00": east,
		"2024-04-10 10:00:07 +08:00": east, "2024-04-10 10:00:07 UTC+8": east, "2024-04-10 10:00:07 GMT+08:00": east, "2024-04-10 10:00:07+8": east, "2024-04-10T10:00:07-05:30": instant(s, 15, 30), "2024-04-10T10:00:07−05:30": instant(s, 15, 30),
		"2024-04-10T10:00:07+08:00[Asia/Shanghai]": east, "2024-04-10T10:00:07-00:00": utc, "2024-04-10 10:00-07": instant(minute, 17, 0, 0), "2024-04-10T10:00:07+14:00": instant(s, 20, 0, 7, 0, 9),
		"2024-04-10T10:00:07+09:00[Asia/Shanghai]": unreadable, "2024-04-10 10:00:07 CST": unreadable, "2024-04-10 10:00:07 IST": unreadable, "2024-04-10 10:00:07 Nowhere/Land": unreadable,
		"2024-04-10T10:00:07+25:00": unreadable, "2024-04-10T10:00:07+830": unreadable, "2024-04-10T10:00:07+08:75": unreadable, "2024-04-10 10:00:07 ../etc/passwd": unreadable, "2024-04-10 10:00:07 +": unreadable,
		// Nothing, and texts that are not times.
		"": {}, "  ": {}, "\x00\x00": {}, "N/A": unreadable, "soon": unreadable, "now": unreadable, "10:00:07": unreadable, "2024-04-10": unreadable, "Wed": unreadable, "0000-00-00 00:00:00": unreadable,
		"2024-02-30 10:00:07": unreadable, "2023-02-29 10:00:07": unreadable, "2024-13-01 10:00:07": unreadable, "2024-00-10 10:00:07": unreadable, "2024-04-10 24:00:00": unreadable, "2024-04-10 25:00:07": unreadable, "2024-04-10 10:60:07": unreadable,
		"2024-04-10 10:00:60": unreadable, "0001-01-01 00:00:00": unreadable, "1969-12-31 23:59:59": unreadable, "9999-12-31 23:59:59": unreadable, "1403-01-22 10:00:07": unreadable, "2567-04-10 10:00:07": unreadable, "113/04/10 10:00:07": unreadable,
		"2024-W15-3T10:00:07": unreadable, "2024-101T10:00:07": unreadable, "2024-04-10 10": unreadable, "2024-04-10T": unreadable, "2024-04-10 10:00:07 x": unreadable, "2024-04-10 10:00:07 2024-04-10 10:00:07": unreadable,
		"2024-04/10 10:00:07": unreadable, "2024--04-10 10:00:07": unreadable, "-2024-04-10 10:00:07": unreadable, "2024-04-10 10:00:07\x01": unreadable, "2024-04-10 10:00:-7": unreadable, "٢٠٢٤-٠٤-١٠ ١٠:٠٠:٠٧": unreadable,
		"true": unreadable, "\xff\xfe": unreadable, strings.Repeat("2024-04-10 10:00:07 ", 1000): unreadable,
	} {
		t.Run(text[:min(60, len(text))], func(t *testing.T) {
			got := clock.Parse(text)
			if got.Kind != want.Kind || !got.At.Equal(want.At) || want.Step != 0 && got.Step != want.Step {
				t.Errorf("%+v, want %+v", got, want)
			}
			if (got.Kind == clock.Unreadable) != (got.Reason != "") || len(got.Text) > 40 {
				t.Errorf("the reason is %q for %q", got.Reason, got.Text)
			}
		})
	}
}

func TestParseArea(t *testing.T) {
	got := clock.Parse("2024-04-10 10:00:07 Asia/Shanghai")
	if got.Kind != clock.Wall || got.Zone == nil || got.Zone.String() != "Asia/Shanghai" {
		t.Fatalf("%+v", got)
	}
	at := clock.Assess(clock.Evidence{Readings: []clock.Reading{got}, Received: date(2), Zone: time.UTC, Fresh: time.Minute}).At
	if !at.Equal(date(2)) {
		t.Errorf("%v", at)
	}
}

func TestLocation(t *testing.T) {
	for name, want := range map[string]int{ // seconds east of UTC in April; -1: none
		"Europe/Berlin": 7200, "Asia/Shanghai": 28800, "UTC": 0, "utc": 0, "GMT": 0, "Z": 0, "+08:00": 28800, "UTC+8": 28800, "GMT-03:30": -12600, "-0330": -12600, "+14": 50400, "Etc/GMT-8": 28800,
		"": -1, "CST9": -1, "Berlin": -1, "+15:00": -1, "Local": -1, "local": -1, "localtime": -1, "Factory": -1, "posixrules": -1, "right/Europe/Berlin": -1, "+8:75": -1, "../../etc/passwd": -1, "Europe/Berlin ": -1, "8": -1, "+": -1, strings.Repeat("x", 5000): -1,
	} {
		location, err := clock.Location(name)
		if (err != nil) != (want == -1) {
			t.Errorf("%.40q: %v", name, err)
			continue
		}
		if err != nil {
			if len(err.Error()) > 100 {
				t.Errorf("%.40q: an error of %d bytes", name, len(err.Error()))
			}
			continue
		}
		if _, offset := date().In(location).Zone(); offset != want {
			t.Errorf("%q is %d s from UTC, want %d", name, offset, want)
		}
	}
}

func TestZone(t *testing.T) {
	east := time.FixedZone("east", 3600)
	for name, test := range map[string]struct {
		zone clock.Zone
		want *time.Location
	}{
		"none":                 {nil, time.Local},
		"one":                  {func(string) *time.Location { return east }, east},
		"one that returns nil": {func(string) *time.Location { return nil }, time.Local},
		"by device, east":      {func(device string) *time.Location { return map[string]*time.Location{"d": east}[device] }, east},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.zone.Of("d"); got != test.want {
				t.Error(got)
			}
		})
	}
}

// FuzzParse: every parsed time is within bounds, and the same when it is formatted in the
// simplest way and parsed again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"2026-04-10 10:00:07", "2026-04-10T10:00:07Z", "2026-04-10T10:00:07.5+08:00", "2026-02-30 00:00:00", "1775815207", "1775815207000.5", "20260410100007",
		"9999-12-31 23:59:59", "0000-00-00 00:00:00", "-1", "9223372036854775807", "", "Wed Apr 10 10:00:07 UTC 2024", "Wed, 10 Apr 2024 10:00:07 GMT", "2024年4月10日 下午3点5分7秒",
		"25/04/2024 3:05:07 PM", "2024-04-10T10:00:07+08:00[Asia/Shanghai]", "1.712743207E9", "10:00:07 2024-04-10", "2024. 4. 10. 오전 10:00:07", "/Date(1712743207123)/", "20240410T100007.25Z", "2024-04-10 10:00:07 GMT+0800 (x)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := clock.Parse(text)
		if len(got.Text) > 40 || len(got.Reason) > 100 || (got.Kind == clock.Unreadable) != (got.Reason != "") {
			t.Errorf("%q: text %q, reason %q", text, got.Text, got.Reason)
		}
		if got.Kind == clock.Absent || got.Kind == clock.Unreadable {
			return
		}
		if year := got.At.Year(); year < 1969 || year > 2200 || got.At.Location() != time.UTC || got.Step < 1 || got.Step > time.Minute {
			t.Errorf("%q: %+v", text, got)
		}
		form := "2006-01-02 15:04:05.999999999"
		if got.Kind == clock.Instant {
			form = "2006-01-02T15:04:05.999999999Z"
		}
		if again := clock.Parse(got.At.Format(form)); got.At.Year() >= 1970 && got.At.Year() < 2200 && (again.Kind != got.Kind || !again.At.Equal(got.At)) {
			t.Errorf("%q: %+v, and %+v when formatted and parsed again", text, got, again)
		}
		for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("odd", -12*3600-1)} {
			v := clock.Assess(clock.Evidence{Readings: []clock.Reading{got}, Received: got.At, Zone: zone, Fresh: time.Minute})
			if v.Freshness == "" || (v.Reason == "") != (v.Freshness == "fresh") || v.At.IsZero() {
				t.Errorf("%q in %v: %+v", text, zone, v)
			}
		}
	})
}
