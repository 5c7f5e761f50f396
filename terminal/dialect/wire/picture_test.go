package wire_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"edgelens/terminal/dialect/wire"
)

func TestPicture(t *testing.T) {
	const limit = 1000
	bytes := "\xfb\xff\xfe\xff\xd8 a picture" // has what differs between the alphabets
	standard, url := base64.StdEncoding.EncodeToString([]byte(bytes)), base64.RawURLEncoding.EncodeToString([]byte(bytes))
	big := base64.StdEncoding.EncodeToString(make([]byte, 1001))
	most := base64.StdEncoding.EncodeToString(make([]byte, 1000))
	none, bad := "The terminal sent no picture.", "The picture is not valid base64."
	quote := func(text string) string { return string(wire.Marshal(text)) }
	tests := map[string]struct{ json, want, reason string }{
		"standard":              {quote(standard), bytes, ""},
		"not padded":            {quote(strings.TrimRight(standard, "=")), bytes, ""},
		"URL alphabet":          {quote(url), bytes, ""},
		"URL alphabet, padded":  {quote(url + "="), bytes, ""},
		"both alphabets":        {quote(standard[:2] + url[2:]), bytes, ""},
		"line breaks":           {quote(standard[:8] + "\r\n" + standard[8:] + "\n"), bytes, ""},
		"blanks":                {quote(" " + standard[:8] + " \t" + standard[8:] + " "), bytes, ""},
		"escaped slashes":       {strings.ReplaceAll(quote(standard), "/", `\/`), bytes, ""},
		"data URI":              {quote("data:image/jpeg;base64," + standard), bytes, ""},
		"data URI in capitals":  {quote("DATA:image/jpeg;BASE64," + standard), bytes, ""},
		"data URI, no type":     {quote("data:;base64," + standard), bytes, ""},
		"data URI, short":       {quote("data:base64," + standard), "", bad},
		"data URI, a charset":   {quote("data:image/jpeg;charset=x;base64, " + standard), bytes, ""},
		"data URI, not base64":  {quote("data:image/jpeg,%FF%D8"), "", bad},
		"data URI, no comma":    {quote("data:image/jpeg;base64"), "", bad},
		"data URI, nothing":     {quote("data:image/jpeg;base64,"), "", none},
		"as large as may be":    {quote(most), string(make([]byte, 1000)), ""},
		"the same with breaks":  {quote(strings.ReplaceAll(most, "AAAA", "AAAA\r\n")), string(make([]byte, 1000)), ""},
		"a byte more":           {quote(big), "", "The picture has 1001 bytes; at most 1000 are taken."},
		"nothing":               {"", "", none},
		"null":                  {"null", "", none},
		"empty":                 {`""`, "", none},
		"blank":                 {`" "`, "", none},
		"only padding":          {`"=="`, "", none},
		"a word":                {quote("a cat!"), "", bad},
		"cut off":               {quote("QUJDQ"), "", bad},
		"padding in the middle": {quote("QQ==QQ=="), "", bad},
		"a number":              {"5", "", bad},
		"false":                 {"false", "", bad},
		"an object":             {"{}", "", bad},
		"not UTF-8":             {"\"QUJ\xff\"", "", bad},
		"a link":                {quote("http://192.168.1.2/a.jpg"), "", bad},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			picture, reason := wire.Value(test.json).Picture(limit)
			if string(picture) != test.want || reason != test.reason {
				t.Errorf("%q, %q", picture, reason)
			}
		})
	}
}

func TestTime(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	local := time.Date(2026, 4, 10, 10, 0, 7, 0, zone)
	utc := time.Date(2026, 4, 10, 10, 0, 7, 0, time.UTC)
	tests := map[string]struct {
		json string
		want time.Time
	}{
		"local":                       {`"2026-04-10 10:00:07"`, local},
		"local, T":                    {`"2026-04-10T10:00:07"`, local},
		"blanks":                      {`" 2026-04-10 10:00:07 "`, local},
		"UTC":                         {`"2026-04-10T10:00:07Z"`, utc},
		"UTC without T":               {`"2026-04-10 10:00:07Z"`, utc},
		"an offset":                   {`"2026-04-10T10:00:07+08:00"`, local},
		"an offset with a blank":      {`"2026-04-10 10:00:07 +0800"`, local},
		"milliseconds":                {`"2026-04-10 10:00:07.250"`, local.Add(250 * time.Millisecond)},
		"seconds":                     {`1775815207`, utc},
		"seconds in a string":         {`"1775815207"`, utc},
		"seconds with a point":        {`1775815207.0`, utc},
		"milliseconds since 1970":     {`1775815207500`, utc.Add(500 * time.Millisecond)},
		"a clock that was not set":    {`"1970-01-02 00:00:00"`, time.Date(1970, 1, 2, 0, 0, 0, 0, zone)},
		"30th of February":            {`"2026-02-30 10:00:07"`, time.Time{}},
		"hour 25":                     {`"2026-04-10 25:00:07"`, time.Time{}},
		"zeros":                       {`"0000-00-00 00:00:00"`, time.Time{}},
		"year 1":                      {`"0001-01-01 00:00:00"`, time.Time{}},
		"year 9999":                   {`"9999-12-31 23:59:59"`, time.Time{}},
		"microseconds since 1970":     {`1775815207500000`, time.Time{}},
		"a counter":                   {`17`, time.Time{}},
		"less than nothing":           {`-1775815207`, time.Time{}},
		"more than 64 bits":           {`99999999999999999999999`, time.Time{}},
		"an exponent":                 {`1.7e9`, time.Time{}},
		"null":                        {`null`, time.Time{}},
		"nothing":                     {``, time.Time{}},
		"a word":                      {`"now"`, time.Time{}},
		"only a day":                  {`"2026-04-10"`, time.Time{}},
		"an object":                   {`{"time":1775815207}`, time.Time{}},
		"long":                        {`"` + strings.Repeat("2026-04-10 10:00:07", 1000) + `"`, time.Time{}},
		"a fraction that is too long": {`"2026-04-10 10:00:07.` + strings.Repeat("1", 30) + `"`, time.Time{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := wire.Value(test.json).Time(zone); !got.Equal(test.want) || got.Location() != time.UTC {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestZone(t *testing.T) {
	east := time.FixedZone("east", 3600)
	tests := map[string]struct {
		zone wire.Zone
		want *time.Location
	}{
		"none":            {nil, time.Local},
		"one":             {func(string) *time.Location { return east }, east},
		"one says none":   {func(string) *time.Location { return nil }, time.Local},
		"by device, east": {func(device string) *time.Location { return map[string]*time.Location{"d": east}[device] }, east},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.zone.Of("d"); got != test.want {
				t.Error(got)
			}
		})
	}
}
