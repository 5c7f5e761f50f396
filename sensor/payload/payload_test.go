package payload_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/sensor/payload"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// received is when the messages of the tests arrive.
var received = time.Date(2026, 4, 10, 10, 0, 7, 0, time.UTC)

func parser() *payload.Parser {
	return &payload.Parser{
		Topics:   []string{"sensors/#", "sensor/data", "tele/+/SENSOR", "stat/+/STATUS10", "zigbee2mqtt/#", "homeassistant/sensor/+/state", "+/sensor/+/state", "site/+/env"},
		Zone:     func(string) *time.Location { return time.FixedZone("site", 2*3600) },
		Fresh:    time.Minute,
		MaxBytes: 64 << 10,
	}
}

func parse(t testing.TB, topic, body string) (payload.Result, error) {
	t.Helper()
	return parser().Parse(payload.Message{Topic: topic, Payload: []byte(body), ReceivedAt: received})
}

// line is a reading without its times, as "device field=value unit @location".
func line(r edgelens.Reading) string {
	text := fmt.Sprintf("%s %s=%v", r.Device, r.Field, r.Value)
	if r.Unit != "" {
		text += " " + r.Unit
	}
	if r.Location != "" {
		text += " @" + r.Location
	}
	return text
}

func lines(readings []edgelens.Reading) string {
	all := make([]string, len(readings))
	for i, r := range readings {
		all[i] = line(r)
	}
	return strings.Join(all, "; ")
}

func TestParse(t *testing.T) {
	const room = "sensors/room_101/temperature"
	for name, test := range map[string]struct{ topic, body, want string }{
		// One value.
		"a bare number":                 {room, "23.5", "room_101 temperature=23.5"},
		"with spaces and a line feed":   {room, " 23.5\r\n", "room_101 temperature=23.5"},
		"a byte order mark":             {room, "\ufeff23.5", "room_101 temperature=23.5"},
		"negative":                      {room, "-4", "room_101 temperature=-4"},
		"an exponent":                   {room, "2.35e1", "room_101 temperature=23.5"},
		"no digit before the point":     {room, ".5", "room_101 temperature=0.5"},
		"quoted":                        {room, `"23.5"`, "room_101 temperature=23.5"},
		"with a unit":                   {room, "23.5 °C", "room_101 temperature=23.5 °C"},
		"with a unit at once":           {room, "23.5C", "room_101 temperature=23.5 °C"},
		"degrees in one character":      {room, "23.5 ℃", "room_101 temperature=23.5 °C"},
		"a charge is in coulomb":        {"sensors/battery/charge", "23.5 C", "battery charge=23.5 C"},
		"a unit with a power":           {"sensors/a/flux", "3 W/m2", "a flux=3 W/m2"},
		"per cent":                      {"sensors/a/humidity", "40%", "a humidity=40 %"},
		"micrograms":                    {"sensors/a/pm25", "12 µg/m³", "a pm25=12 µg/m³"},
		"a label like the topic":        {room, "Temperature: 23.5", "room_101 temperature=23.5"},
		"an abbreviated one":            {room, "temp=23.5 C", "room_101 temperature=23.5 °C"},
		"another label":                 {"sensors/room_101", "Temperature: 23.5", "room_101 Temperature=23.5"},
		"another label, deeper":         {"sensors/room_101/air", "co2=415 ppm", "room_101/air co2=415 ppm"},
		"no field in the topic":         {"sensors/room_101", "23.5", "room_101 value=23.5"},
		"more levels":                   {"sensors/house/attic/temperature", "31", "house/attic temperature=31"},
		"an empty level":                {"sensors//room_101/temperature", "31", "room_101 temperature=31"},
		"a topic of no filter":          {"kitchen/temperature", "31", "kitchen temperature=31"},
		"a filter with a + in between":  {"site/north/env", "31", "north env=31"},
		"markup is text":                {"sensors/<b onclick=x()>/temperature", "1", "<b onclick=x()> temperature=1"},
		"ESPHome":                       {"kitchen/sensor/bme280_temperature/state", "21.4", "kitchen bme280_temperature=21.4"},
		"Home Assistant's statestream":  {"homeassistant/sensor/outdoor_humidity/state", "81", "outdoor_humidity value=81"},
		"Home Assistant's, with a node": {"homeassistant/sensor/node1/humidity/state", "81", "node1 humidity=81"},
		"zigbee2mqtt, a single value":   {"zigbee2mqtt/attic/temperature", "21", "attic temperature=21"},
		"a text of another script":      {"sensors/房间/温度", "温度: 23.5 °C", "房间 温度=23.5 °C"},
		"a label with spaces":           {"sensors/a", "Room temperature = 23.5", "a Room temperature=23.5"},
		// Objects.
		"several fields":               {"sensor/data", `{"device_id":"d1","temperature":23.5,"humidity":40}`, "d1 temperature=23.5; d1 humidity=40"},
		"nested ones":                  {"sensor/data", `{"device_id":"d1","air":{"co2":415,"pm":{"2.5":3}}}`, "d1 air.pm.2.5=3; d1 air.co2=415"},
		"unit of the only value":       {"sensor/data", `{"device_id":"d1","temperature":23.5,"unit":"C"}`, "d1 temperature=23.5 °C"},
		"unit of several is of none":   {"sensor/data", `{"device_id":"d1","temperature":23.5,"humidity":40,"unit":"C"}`, "d1 temperature=23.5; d1 humidity=40"},
		"units by field":               {"sensor/data", `{"device_id":"d1","temperature":23.5,"humidity":40,"units":{"temperature":"°C","humidity":"%"}}`, "d1 temperature=23.5 °C; d1 humidity=40 %"},
		"a unit with the field's name": {"sensor/data", `{"device_id":"d1","temperature":73,"temperature_unit":"F","humidity":40}`, "d1 temperature=73 °F; d1 humidity=40"},
		"a value with a unit, nested":  {"sensor/data", `{"device_id":"d1","temperature":{"value":23.5,"unit":"C"}}`, "d1 temperature=23.5 °C"},
		"a location":                   {"sensor/data", `{"deviceId":"d1","location":"Hall <1>","temperature":23.5}`, "d1 temperature=23.5 @Hall <1>"},
		"a device's number":            {"sensor/data", `{"device_id":42,"temperature":23.5}`, "42 temperature=23.5"},
		"a sensor of a device":         {"sensor/data", `{"device_id":"d1","sensor_id":"s2","temperature":23.5}`, "d1/s2 temperature=23.5"},
		"the topic names the device":   {"sensors/room_101", `{"temperature":23.5}`, "room_101 temperature=23.5"},
		"all of the topic":             {"sensors/house/attic", `{"temperature":23.5}`, "house/attic temperature=23.5"},
		"only a value":                 {room, `{"value":23.5,"unit":"C"}`, "room_101 temperature=23.5 °C"},
		"a value as a string":          {room, `{"value":"23.5"}`, "room_101 temperature=23.5"},
		"a value with a device":        {"sensors/x/temperature", `{"device_id":"d1","value":23.5}`, "d1 temperature=23.5"},
		"a value beside others":        {"sensor/data", `{"device_id":"d1","value":1,"battery":90}`, "d1 value=1; d1 battery=90"},
		"switches and texts are none":  {"sensor/data", `{"device_id":"d1","on":true,"mode":"eco","tags":["a",1],"none":null,"t":1}`, "d1 t=1"},
		"numbers of messages are none": {"sensor/data", `{"device_id":"d1","seq":17,"id":3,"t":1}`, "d1 t=1"},
		"Tasmota, a sensor":            {"tele/plug/SENSOR", `{"Time":"2026-04-10T12:00:07","AM2301":{"Temperature":23.5,"Humidity":40.1,"DewPoint":9.2},"TempUnit":"C"}`, "plug AM2301.Temperature=23.5 °C; plug AM2301.Humidity=40.1 %; plug AM2301.DewPoint=9.2 °C"},
		"Tasmota, energy":              {"tele/plug/SENSOR", `{"Time":"2026-04-10T12:00:07","ENERGY":{"TotalStartTime":"2025-01-01T00:00:00","Total":12.3,"Power":5,"Voltage":231,"Current":0.02}}`, "plug ENERGY.Total=12.3 kWh; plug ENERGY.Power=5 W; plug ENERGY.Voltage=231 V; plug ENERGY.Current=0.02 A"},
		"Tasmota, asked":               {"stat/plug/STATUS10", `{"StatusSNS":{"Time":"2026-04-10T12:00:07","DS18B20":{"Id":"3C01","Temperature":21},"TempUnit":"F"}}`, "plug DS18B20.Temperature=21 °F"},
		"Tasmota, the other order":     {"plug/tele/SENSOR", `{"Analog":{"A0":17}}`, "plug Analog.A0=17"},
		"Tasmota below another topic":  {"sensors/tele/plug/SENSOR", `{"Analog":{"A0":17}}`, "plug Analog.A0=17"},
		"zigbee2mqtt":                  {"zigbee2mqtt/Attic", `{"battery":97,"humidity":44,"linkquality":120,"temperature":21.5,"update":{"installed_version":5},"device":{"networkAddress":1}}`, "Attic battery=97 %; Attic humidity=44 %; Attic linkquality=120 lqi; Attic temperature=21.5 °C"},
		"zigbee2mqtt, a name with a /": {"zigbee2mqtt/house/attic", `{"temperature":21.5}`, "house/attic temperature=21.5 °C"},
		"the largest value":            {room, "1e15", "room_101 temperature=1e+15"},
		"the smallest":                 {room, "1e-400", "room_101 temperature=0"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := parse(t, test.topic, test.body)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(result.Readings); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	const room = "sensors/room_101/temperature"
	deep := func(n int) string {
		return `{"device_id":"d1",` + strings.Repeat(`"a":{`, n) + `"t":1` + strings.Repeat("}", n) + "}"
	}
	many := func(n int) string {
		fields := make([]string, n)
		for i := range fields {
			fields[i] = fmt.Sprintf(`"f%d":1`, i)
		}
		return `{"device_id":"d1",` + strings.Join(fields, ",") + "}"
	}
	for name, test := range map[string]struct {
		topic, body string
		want        payload.Reason // "" for none
	}{
		"empty":                   {room, "", payload.Empty},
		"white space":             {room, " \n", payload.Empty},
		"NaN":                     {room, "NaN", payload.NotFinite},
		"infinite":                {room, "-inf", payload.NotFinite},
		"a label and NaN":         {room, "Temperature: nan", payload.NotFinite},
		"NaN in an object":        {room, `{"value":NaN}`, payload.NotJSON},
		"NaN as a string":         {room, `{"value":"NaN"}`, payload.NoNumber},
		"1e308":                   {room, "1e308", payload.OutOfRange},
		"1e999":                   {room, "1e999", payload.OutOfRange},
		"1e9999":                  {room, "1e9999", payload.OutOfRange},
		"1e308 in an object":      {room, `{"value":1e308}`, payload.OutOfRange},
		"1e999 in an object":      {room, `{"value":-1e999}`, payload.OutOfRange},
		"just too large":          {room, "1.1e15", payload.OutOfRange},
		"hexadecimal":             {room, "0x10", payload.NoNumber},
		"hexadecimal 2":           {room, "0x2", payload.NoNumber},
		"underscores":             {room, "1_000", payload.NoNumber},
		"a decimal comma":         {room, "23,5", payload.NoNumber},
		"a date":                  {room, "2026-04-10", payload.NoNumber},
		"a time of day":           {room, "10:30", payload.NoNumber},
		"a version":               {room, "1.2.3", payload.NoNumber},
		"two values":              {room, "temp=23.5 hum=40", payload.NoNumber},
		"a switch":                {room, "ON", payload.NoNumber},
		"unavailable":             {room, "unavailable", payload.NoNumber},
		"a list":                  {room, "[1,2]", payload.NoNumber},
		"no number in an object":  {room, `{"state":"ON"}`, payload.NoNumber},
		"an empty object":         {room, `{}`, payload.NoNumber},
		"half an object":          {room, `{"value":1`, payload.NotJSON},
		"more behind an object":   {room, `{"value":1} {"value":2}`, payload.NotJSON},
		"no comma":                {room, `{"a":1 "b":2}`, payload.NotJSON},
		"a key without a value":   {room, `{"a"}`, payload.NotJSON},
		"not UTF-8":               {room, "\xff\xfe", payload.NotText},
		"a topic not UTF-8":       {"sensors/\xff/t", "1", payload.NotText},
		"too large":               {room, strings.Repeat(" ", 64<<10) + "1", payload.TooLarge},
		"10 MB":                   {room, `{"a":"` + strings.Repeat("x", 10<<20) + `"}`, payload.TooLarge},
		"as deep as allowed":      {"sensor/data", deep(7), ""},
		"too deep":                {"sensor/data", deep(8), payload.TooDeep},
		"very deep":               {"sensor/data", deep(5000), payload.TooDeep},
		"deep lists":              {"sensor/data", `{"device_id":"d","t":1,"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}", payload.TooDeep},
		"as many as allowed":      {"sensor/data", many(payload.MaxReadings), ""},
		"too many":                {"sensor/data", many(payload.MaxReadings + 1), payload.TooMany},
		"no device":               {"sensor/data", `{"temperature":1}`, payload.NoDevice},
		"no device of a number":   {"sensor/data", "1", payload.NoDevice},
		"an empty device":         {"sensor/data", `{"device_id":"","temperature":1}`, payload.NoDevice},
		"two devices":             {"sensor/data", `{"device_id":"a","device":"b","temperature":1}`, payload.Ambiguous},
		"two values of a field":   {"sensor/data", `{"device_id":"a","t":1,"t":2}`, payload.Ambiguous},
		"two by flattening":       {"sensor/data", `{"device_id":"a","x.t":1,"x":{"t":2}}`, payload.Ambiguous},
		"a long device":           {"sensor/data", `{"device_id":"` + strings.Repeat("d", 129) + `","t":1}`, payload.BadName},
		"a long field":            {"sensor/data", `{"device_id":"d","` + strings.Repeat("t", 129) + `":1}`, payload.BadName},
		"a long location":         {"sensor/data", `{"device_id":"d","location":"` + strings.Repeat("t", 129) + `","t":1}`, payload.BadName},
		"a long unit":             {"sensor/data", `{"device_id":"d","unit":"` + strings.Repeat("t", 33) + `","t":1}`, payload.BadName},
		"a long topic":            {"sensors/" + strings.Repeat("t", 600), "1", payload.BadName},
		"an empty field":          {"sensor/data", `{"device_id":"d","":1}`, payload.BadName},
		"a control character":     {"sensor/data", `{"device_id":"d\u0000","t":1}`, payload.BadName},
		"a line feed":             {"sensor/data", `{"device_id":"d","a\nb":1}`, payload.BadName},
		"a mark of direction":     {"sensor/data", `{"device_id":"d\u202e","t":1}`, payload.BadName},
		"a reserved field":        {"sensor/data", `{"device_id":"front-door","edgelens.minutes_silent":0}`, payload.BadName},
		"a reserved one, nested":  {"sensor/data", `{"device_id":"front-door","edgelens":{"minutes_silent":0}}`, payload.BadName},
		"zigbee2mqtt's own":       {"zigbee2mqtt/bridge/info", `{"version":1}`, payload.NotSensor},
		"zigbee2mqtt's request":   {"zigbee2mqtt/lamp/set", `{"brightness":100}`, payload.NotSensor},
		"Home Assistant's config": {"homeassistant/sensor/x/config", `{"a":1}`, payload.NotSensor},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := parse(t, test.topic, test.body)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var refusal *payload.Refusal
			if !errors.As(err, &refusal) || !errors.Is(err, edgelens.ErrInvalid) {
				t.Fatalf("%v, %v, want a refusal", lines(result.Readings), err)
			}
			if refusal.Reason != test.want {
				t.Errorf("%s (%v), want %s", refusal.Reason, err, test.want)
			}
			if text := refusal.Sentence; len(text) > 300 || !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n\x00") {
				t.Errorf("no sentence: %q", text)
			}
		})
	}
}

// The times of a message go by the rules for records: what cannot be read is unknown, never
// fresh.
func TestTimes(t *testing.T) {
	const fresh, replayed, unknown = edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown
	for name, test := range map[string]struct {
		time     string // a JSON value; "" for no member
		retained bool
		want     edgelens.Freshness
		at       time.Time
		stamped  bool
	}{
		"none":                      {"", false, fresh, received, false},
		"none, retained":            {"", true, replayed, time.Time{}, false},
		"now":                       {`"2026-04-10T10:00:00Z"`, false, fresh, received.Add(-7 * time.Second), true},
		"now, retained":             {`"2026-04-10T10:00:00Z"`, true, replayed, received.Add(-7 * time.Second), true},
		"by the site's zone":        {`"2026-04-10 12:00:00"`, false, fresh, received.Add(-7 * time.Second), true},
		"in seconds":                {fmt.Sprint(received.Unix()), false, fresh, received, true},
		"with a fraction":           {fmt.Sprint(received.Unix()-1) + ".5", false, fresh, received.Add(-time.Second / 2), true},
		"in milliseconds":           {fmt.Sprint(received.UnixMilli()), false, fresh, received, true},
		"an hour ago":               {`"2026-04-10T09:00:07Z"`, false, replayed, received.Add(-time.Hour), true},
		"1970":                      {`"1970-01-01T00:00:20Z"`, false, replayed, time.Unix(20, 0), true},
		"2100":                      {`"2100-01-01T00:00:00Z"`, false, unknown, received, false},
		"another zone":              {`"2026-04-10 14:00:00"`, false, unknown, received, false},
		"unreadable":                {`"soon"`, false, unknown, received, false},
		"unreadable, retained":      {`"soon"`, true, replayed, time.Time{}, false},
		"a small number":            {`17`, false, unknown, received, false},
		"null":                      {`null`, false, unknown, received, false},
		"true":                      {`true`, false, unknown, received, false},
		"two that disagree":         {`"2026-04-10T10:00:00Z","ts":"2026-04-10T09:00:00Z"`, false, unknown, received, false},
		"two that agree":            {`"2026-04-10T10:00:00Z","ts":"2026-04-10T10:00:01Z"`, false, fresh, received.Add(-7 * time.Second), true},
		"a date and time of no day": {`"2026-02-30T10:00:00Z"`, false, unknown, received, false},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"device_id":"d1","temperature":23.5}`
			if test.time != "" {
				body = `{"device_id":"d1","timestamp":` + test.time + `,"temperature":23.5}`
			}
			result, err := parser().Parse(payload.Message{Topic: "sensor/data", Payload: []byte(body), Retained: test.retained, ReceivedAt: received})
			if err != nil {
				t.Fatal(err)
			}
			r := result.Readings[0]
			if r.Freshness != test.want || !r.At.Equal(test.at) || r.Stamped != test.stamped || !r.ReceivedAt.Equal(received) {
				t.Errorf("%s at %v, stamped %v (%s), want %s at %v", r.Freshness, r.At, r.Stamped, r.FreshnessReason, test.want, test.at)
			}
			if (r.FreshnessReason == "") != (test.want == fresh) || strings.Contains(r.FreshnessReason, "record") {
				t.Errorf("reason %q", r.FreshnessReason)
			}
		})
	}
}

func TestLeftOutIsCounted(t *testing.T) {
	result, err := parse(t, "sensor/data", `{"device_id":"d1","on":true,"mode":"eco","list":[1],"none":null,"seq":1,"t":1}`)
	if err != nil || result.LeftOut != 5 {
		t.Errorf("%d left out, %v, want 5", result.LeftOut, err)
	}
}

// Each golden is what the messages of a family of devices give, with all that is known of
// them.
func TestGoldens(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.mqtt")
	if err != nil || len(inputs) < 4 {
		t.Fatalf("%d inputs, %v", len(inputs), err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			messages, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for message := range strings.Lines(string(messages)) {
				topic, body, _ := strings.Cut(strings.TrimSuffix(message, "\n"), " ")
				result, err := parse(t, topic, body)
				fmt.Fprintf(&got, "# %s\n", strings.TrimSpace(message))
				if err != nil {
					fmt.Fprintf(&got, "refused: %s\n", err)
				}
				for _, r := range result.Readings {
					text, err := json.Marshal(r)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&got, "%s\n", text)
				}
			}
			golden := strings.TrimSuffix(input, ".mqtt") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("%s differs; run with -update and read the difference:\n%s", golden, got.String())
			}
		})
	}
}
