package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

const (
	door      = "24dc:07.A_b-1"
	commandID = "0197a000-0000-7000-8000-000000000001"
)

// doorRegion is the region of the door's images.
var doorRegion = edgelens.Region{X: 0.25, Width: 0.5, Height: 1}

var morning = time.Date(2026, 4, 10, 8, 0, 0, 0, time.UTC)

// devices has two terminals and one command, and keeps the commands it receives.
type devices struct {
	err     error // of everything
	state   edgelens.DeviceState
	sent    []sent
	changes []edgelens.DeviceChange
	// forgotten are the ids of those that were.
	forgotten []string
}

type sent struct {
	device, body string
	ttl          time.Duration
}

func (d *devices) Devices(context.Context) ([]edgelens.Device, error) {
	return []edgelens.Device{
		{ID: door, Dialect: "fungxi", State: edgelens.DeviceAccepted, Online: true, FirstSeen: morning, LastSeen: morning.Add(time.Hour),
			Settings:      edgelens.DeviceSettings{Zone: "Asia/Shanghai", ApplyClockOffset: true, Charset: "gb18030", Fit: edgelens.FitSweep, Region: doorRegion},
			NotUnderstood: notUnderstood,
			Clock:         edgelens.DeviceClock{Offset: -61 * time.Second, Samples: 7, Problem: "The clock is 1m1s behind ours."},
			Counters:      edgelens.DeviceCounters{Heartbeats: 1, Records: 2, Duplicates: 3, Unknown: 4, Malformed: 5, Lost: 6, UncertainVerdicts: 12, Repaired: 14, Empty: 15, WithoutRecords: 16, LeftOut: 17, UndecodedTexts: 18, MissingTimes: 7, UnreadableTimes: 8, FutureTimes: 9, AmbiguousTimes: 10, ContradictingTimes: 11, UnknownNames: map[string]int64{"danceU": 4}}},
		{ID: "new", Dialect: "camera", State: edgelens.DeviceQuarantined},
	}, d.err
}

// notUnderstood is a message of the door's.
var notUnderstood = []edgelens.NotUnderstood{{
	Topic: "fungxi_1_upLink", Dialect: "fungxi", Device: door, Reason: "The message holds no record: it is not JSON.", Count: 3, First: morning, Last: morning.Add(time.Minute), Excerpt: "{xxx",
}}

func (d *devices) NotUnderstood(context.Context) ([]edgelens.NotUnderstood, error) {
	return append(notUnderstood, edgelens.NotUnderstood{Topic: "up", Reason: "No dialect has this topic.", Count: 1, First: morning, Last: morning}), nil
}

func (d *devices) Device(ctx context.Context, id string) (edgelens.Device, error) {
	list, err := d.Devices(ctx)
	for _, device := range list {
		if device.ID == id {
			return device, err
		}
	}
	return edgelens.Device{}, errors.Join(err, fmt.Errorf("%w: no device has this id", edgelens.ErrNotFound))
}

func (d *devices) ChangeDevice(ctx context.Context, id string, change edgelens.DeviceChange) (edgelens.Device, error) {
	device, err := d.Device(ctx, id)
	if err != nil {
		return device, err
	}
	d.changes = append(d.changes, change)
	if change.State != nil {
		d.state, device.State = *change.State, *change.State
	}
	if change.DisplayName != nil {
		device.Settings.DisplayName = *change.DisplayName
	}
	if change.Zone != nil {
		device.Settings.Zone = *change.Zone
	}
	if change.ApplyClockOffset != nil {
		device.Settings.ApplyClockOffset = *change.ApplyClockOffset
	}
	if change.Fit != nil {
		device.Settings.Fit = *change.Fit
	}
	if change.Region != nil {
		device.Settings.Region = *change.Region
	}
	return device, nil
}

func (d *devices) ForgetDevice(ctx context.Context, id string) error {
	if _, err := d.Device(ctx, id); err != nil {
		return err
	}
	d.forgotten = append(d.forgotten, id)
	return nil
}

func (d *devices) Send(ctx context.Context, device string, body json.RawMessage, ttl time.Duration) (edgelens.Command, error) {
	if d.err != nil {
		return edgelens.Command{}, d.err
	}
	d.sent = append(d.sent, sent{device, string(body), ttl})
	if device == "" {
		device = door
	}
	if _, err := d.Device(ctx, device); err != nil {
		return edgelens.Command{}, err
	}
	return edgelens.Command{ID: commandID, Device: device, Body: body, Status: edgelens.CommandQueued, CreatedAt: morning, Deadline: morning.Add(ttl)}, nil
}

func (d *devices) DefaultDevice(context.Context) (string, error) { return door, d.err }

func (d *devices) Command(_ context.Context, id string) (edgelens.Command, error) {
	if id != commandID {
		return edgelens.Command{}, fmt.Errorf("%w: no command has this id", edgelens.ErrNotFound)
	}
	return edgelens.Command{
		ID: id, Device: door, Body: json.RawMessage(`{"cmd":"open","num":12345678901234567890}`), Status: edgelens.CommandFailed,
		Detail: "The door is stuck.", CreatedAt: morning, Deadline: morning.Add(time.Minute), SentAt: morning.Add(time.Second), FinishedAt: morning.Add(2 * time.Second),
	}, d.err
}

func (d *devices) DeviceCommands(ctx context.Context, device string, limit int) ([]edgelens.Command, error) {
	if _, err := d.Device(ctx, device); err != nil {
		return nil, err
	}
	command, err := d.Command(ctx, commandID)
	return []edgelens.Command{command, command, command}[:min(limit, 3)], err
}

func newDoors(t *testing.T, err error) (*server, *devices) {
	d := &devices{err: err}
	return newServer(t, func(_ *api.Config, p *api.Parts) { p.Devices = d }), d
}

// decoded returns an answer's JSON.
func decoded(t testing.TB, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("status %d: %v: %s", w.Code, err, w.Body)
	}
	return body
}

func TestListDevices(t *testing.T) {
	for query, want := range map[string][]string{
		"":                             {door, "new"},
		"?state=quarantined":           {"new"},
		"?state=refused":               {},
		"?online=true":                 {door},
		"?online=false":                {"new"},
		"?online=false&state=accepted": {},
		"?online=true&state=accepted":  {door},
	} {
		t.Run(query, func(t *testing.T) {
			s, _ := newDoors(t, nil)
			got := []string{}
			list, ok := decoded(t, s.do(request("GET", "/api/devices"+query, "", nil)))["devices"].([]any)
			for _, device := range list {
				got = append(got, device.(map[string]any)["id"].(string))
			}
			if !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// many are devices, of which every tenth has a name, is online, is refused, or is to be decided on.
type many struct {
	devices
	n int
}

func (m *many) Devices(context.Context) (all []edgelens.Device, err error) {
	for i := range m.n {
		d := edgelens.Device{ID: fmt.Sprintf("d%05d", i), Dialect: "fungxi", State: edgelens.DeviceAccepted, FirstSeen: morning, LastSeen: morning}
		switch i % 10 {
		case 1:
			d.Settings.DisplayName = fmt.Sprintf("Gate %d", i)
		case 2:
			d.Online = true
		case 3:
			d.State = edgelens.DeviceQuarantined
		case 4:
			d.State = edgelens.DeviceRefused
		}
		all = append(all, d)
	}
	return all, nil
}

func manyDevices(t testing.TB, n int) *server {
	return newServer(t, func(_ *api.Config, p *api.Parts) { p.Devices = &many{n: n} })
}

func TestDevicesInPages(t *testing.T) {
	s := manyDevices(t, 120)
	counts := func(all, online, offline, quarantined, refused int) map[string]any {
		return map[string]any{"all": float64(all), "online": float64(online), "offline": float64(offline), "quarantined": float64(quarantined), "refused": float64(refused)}
	}
	for query, want := range map[string]struct {
		ids    int // of all pages
		pages  int
		counts any
	}{
		"":                          {120, 1, nil},
		"state=refused":             {12, 1, nil},
		"limit=1000":                {120, 1, counts(120, 12, 96, 12, 12)},
		"limit=120":                 {120, 1, counts(120, 12, 96, 12, 12)},
		"limit=119":                 {120, 2, counts(120, 12, 96, 12, 12)},
		"cursor=":                   {120, 3, counts(120, 12, 96, 12, 12)},
		"limit=7&state=quarantined": {12, 2, counts(120, 12, 96, 12, 12)},
		"limit=5&online=true":       {12, 3, counts(120, 12, 96, 12, 12)},
		"limit=5&named=true":        {12, 3, counts(12, 0, 12, 0, 0)},
		"limit=5&search=gATE+11":    {2, 1, counts(2, 0, 2, 0, 0)}, // 11 and 111
		"limit=5&search=D0011":      {10, 2, counts(10, 1, 8, 1, 1)},
		"search=d0011&named=true":   {1, 1, nil},
		"limit=5&search=nothing":    {0, 1, counts(0, 0, 0, 0, 0)},
	} {
		t.Run(query, func(t *testing.T) {
			seen, last, next := 0, "", ""
			for page := 1; ; page++ {
				w := s.do(request("GET", "/api/devices?"+query+next, "", nil))
				if w.Code != 200 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
				body := decoded(t, w)
				for _, device := range body["devices"].([]any) {
					id := device.(map[string]any)["id"].(string)
					if id <= last {
						t.Errorf("%s after %s", id, last)
					}
					seen, last = seen+1, id
				}
				if !reflect.DeepEqual(body["counts"], want.counts) {
					t.Errorf("counts %v, want %v", body["counts"], want.counts)
				}
				cursor, more := body["next"].(string)
				if more == (page == want.pages) {
					t.Fatalf("page %d of %d has the next %q", page, want.pages, cursor)
				}
				if !more {
					break
				}
				query = strings.TrimPrefix(query, "cursor=")
				next = "&cursor=" + cursor
				if query == "" {
					next = next[1:]
				}
			}
			if seen != want.ids {
				t.Errorf("%d devices, want %d", seen, want.ids)
			}
		})
	}
}

// A cursor stays valid though its device is forgotten.
func TestDevicePageAfterAForgottenOne(t *testing.T) {
	next := decoded(t, manyDevices(t, 20).do(request("GET", "/api/devices?limit=15", "", nil)))["next"].(string)
	w := manyDevices(t, 10).do(request("GET", "/api/devices?cursor="+next, "", nil)) // without d00014
	if body := decoded(t, w); w.Code != 200 || len(body["devices"].([]any)) != 0 || body["next"] != nil {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func BenchmarkListDevices(b *testing.B) {
	all, _ := (&many{n: 10_000}).Devices(b.Context())
	s := newServer(b, func(_ *api.Config, p *api.Parts) { p.Devices = &fixed{all: all} })
	for _, query := range []string{"", "?limit=50", "?limit=100", "?limit=100&search=gate", "?limit=1000&named=true"} {
		b.Run(query, func(b *testing.B) {
			bytes := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, request("GET", "/api/devices"+query, "", nil))
				bytes = w.Body.Len()
			}
			b.ReportMetric(float64(bytes), "B/answer")
		})
	}
}

// fixed are devices that are there already.
type fixed struct {
	devices
	all []edgelens.Device
}

func (f *fixed) Devices(context.Context) ([]edgelens.Device, error) { return slices.Clone(f.all), nil }

func TestGetDevice(t *testing.T) {
	s, _ := newDoors(t, nil)
	const want = `{"apply_clock_offset":true,"charset":"gb18030","clock_offset_ms":-61000,"clock_offset_samples":7,"clock_problem":"The clock is 1m1s behind ours.","counters":{"ambiguous_times":10,"contradicting_times":11,"duplicates":3,"empty":15,"future_times":9,"heartbeats":1,"left_out":17,"lost":6,"malformed":5,"missing_times":7,"records":2,"repaired":14,"uncertain_verdicts":12,"undecoded_texts":18,"unknown":4,"unknown_names":{"danceU":4},"unreadable_times":8,"without_records":16},"dialect":"fungxi",` +
		`"first_seen":"2026-04-10T08:00:00Z","fit":"sweep","id":"24dc:07.A_b-1","last_seen":"2026-04-10T09:00:00Z",` +
		`"not_understood":[{"count":3,"device":"24dc:07.A_b-1","dialect":"fungxi","excerpt":"{xxx","first":"2026-04-10T08:00:00Z","last":"2026-04-10T08:01:00Z","reason":"The message holds no record: it is not JSON.","topic":"fungxi_1_upLink"}],"online":true,"region":{"height":1,"width":0.5,"x":0.25,"y":0},"state":"accepted","zone":"Asia/Shanghai"}`
	for _, id := range []string{door, strings.ReplaceAll(door, ":", "%3A")} {
		if w := s.do(request("GET", "/api/devices/"+id, "", nil)); w.Code != 200 || strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: got %d %s", id, w.Code, w.Body)
		}
	}
	if got := decoded(t, s.do(request("GET", "/api/devices/new", "", nil))); got["first_seen"] != nil || got["state"] != "quarantined" ||
		got["clock_offset_ms"] != nil || got["clock_offset_samples"] != nil || got["zone"] != nil || got["fit"] != nil || got["region"] != nil || got["apply_clock_offset"] != false {
		t.Errorf("got %v", got)
	}
}

func TestChangeDevice(t *testing.T) {
	for _, state := range []string{"accepted", "quarantined", "refused"} {
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", ""} {
			s, d := newDoors(t, nil)
			w := s.do(request("PATCH", "/api/devices/new", contentType, strings.NewReader(`{"state":"`+state+`"}`)))
			if got := decoded(t, w); w.Code != 200 || got["state"] != state || got["id"] != "new" || string(d.state) != state {
				t.Errorf("%s as %q: got %d %v, the device is %s", state, contentType, w.Code, got, d.state)
			}
		}
	}
}

// Settings are changed one by one; names similar to one, and invalid values, are
// not ignored.
func TestChangeDeviceSettings(t *testing.T) {
	text, yes, no, empty, state, set := "Asia/Shanghai", true, false, "", edgelens.DeviceRefused, "gbk"
	sweep, noFit, whole := edgelens.FitSweep, edgelens.Fit(""), edgelens.Region{}
	for body, want := range map[string]*edgelens.DeviceChange{
		`{"zone":"Asia/Shanghai"}`:     {Zone: &text},
		`{"zone":""}`:                  {Zone: &empty},
		`{"zone":null}`:                {Zone: &empty},
		`{"apply_clock_offset":true}`:  {ApplyClockOffset: &yes},
		`{"apply_clock_offset":false}`: {ApplyClockOffset: &no},
		`{"apply_clock_offset":null}`:  {ApplyClockOffset: &no},
		`{"state":"refused","zone":"Asia/Shanghai","apply_clock_offset":true}`:                                           {State: &state, Zone: &text, ApplyClockOffset: &yes},
		`{"state":"refused","id":"new","online":true,"dialect":"x","clock_offset_ms":5,"counters":{},"first_seen":null}`: {State: &state},
		`{"charset":"gbk"}`:         {Charset: &set},
		`{"charset":null}`:          {Charset: &empty},
		`{"fit":"sweep"}`:           {Fit: &sweep},
		`{"fit":null}`:              {Fit: &noFit},
		`{"fit":""}`:                {Fit: &noFit},
		`{"region":"0.25,0,0.5,1"}`: {Region: &doorRegion},
		`{"region":{"x":0.25,"y":0,"width":0.5,"height":1},"id":"new"}`: {Region: &doorRegion},
		`{"region":null}`: {Region: &whole},
		`{"region":""}`:   {Region: &whole},
		`{"fit":"sweep","region":"0.25,0,0.5,1","zone":"Asia/Shanghai"}`: {Fit: &sweep, Region: &doorRegion, Zone: &text},
		`{"fit":"CENTER"}`: nil, `{"fit":"crop"}`: nil, `{"fit":1}`: nil, `{"fit":["pad"]}`: nil, `{"fits":"pad"}`: nil, `{"Fit":"pad"}`: nil, `{"fit_mode":"pad"}`: nil,
		`{"region":"NaN,0,1,1"}`: nil, `{"region":"0,0,Inf,1"}`: nil, `{"region":"-0.1,0,1,1"}`: nil, `{"region":"0,0,0,0"}`: nil, `{"region":"0,0,1e9,1"}`: nil, `{"region":"0,0,1"}`: nil, `{"region":" "}`: nil, `{"region":"` + strings.Repeat("0", 300) + `,0,1,1"}`: nil,
		`{"region":[0,0,1,1]}`: nil, `{"region":{}}`: nil, `{"region":{"x":0,"y":0,"width":1}}`: nil, `{"region":{"x":0,"y":0,"width":0,"height":0}}`: nil, `{"region":{"x":0.5,"y":0,"width":0.6,"height":1}}`: nil,
		`{"region":{"x":0,"x":0,"y":0,"width":1,"height":1}}`: nil, `{"region":{"x":"0","y":0,"width":1,"height":1}}`: nil, `{"region":1}`: nil, `{"regions":"0,0,1,1"}`: nil,
		`{"state":"refused","fit":"crop"}`: nil, `{"fit":"pad","region":"left"}`: nil,
		`{"charset":5}`: nil, `{"char_set":"gbk"}`: nil, `{"charst":"gbk"}`: nil,
		`{}`: nil, `{"online":true}`: nil, `{"zone":5}`: nil, `{"zone":["UTC"]}`: nil, `{"apply_clock_offset":"yes"}`: nil, `{"apply_clock_offset":1}`: nil,
		`{"state":null}`: nil, `{"state":null,"zone":"UTC"}`: nil, `{"state":"open"}`: nil, `{"state":5}`: nil, `{"State":"refused"}`: nil,
		`{"zone":"UTC","applyClockOffset":true}`: nil, `{"state":"refused","aply_clock_offset":true}`: nil, `{"state":"refused","Zone":"UTC"}`: nil,
		`{"state":"refused","time_zone":"UTC"}`: nil, `{"state":"refused","zonne":"UTC"}`: nil, `{"state":"refused","stat":"x"}`: nil,
		`{"state":"accepted","state":"refused"}`: nil, `{"state":"refused","state":"refused"}`: nil, `{"zone":"UTC","zone":null}`: nil,
		`{"state":"refused","\u0073tate":"accepted"}`: nil, `{"state":"refused","counters":{"a":1,"a":2}}`: nil, `{"state":"refused","id":"a","id":"b"}`: nil,
		`["zone"]`: nil, `"zone"`: nil, ``: nil, `{"zone":"UTC"`: nil,
	} {
		s, d := newDoors(t, nil)
		w := s.do(request("PATCH", "/api/devices/new", "application/json", strings.NewReader(body)))
		switch {
		case want == nil && (w.Code != 400 || len(d.changes) > 0):
			t.Errorf("%s: %d, changes %+v", body, w.Code, d.changes)
		case want != nil && (w.Code != 200 || len(d.changes) != 1 || !reflect.DeepEqual(d.changes[0], *want)):
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	s, _ := newDoors(t, nil)
	w := s.do(request("PATCH", "/api/devices/new", "", strings.NewReader(`{"state":"refused","aply_clock_offset":true}`)))
	if detail, _ := decoded(t, w)["detail"].(string); !strings.Contains(detail, `did you mean "apply_clock_offset"?`) {
		t.Errorf("%q", detail)
	}
	for body, want := range map[string]string{
		`{"fit":"CENTER"}`:       `fit must be center, stretch, sweep or pad, or null, not "CENTER"`,
		`{"region":"0,0,1e9,1"}`: `region must be x,y,width,height, each from 0 to 1`,
	} {
		w = s.do(request("PATCH", "/api/devices/new", "", strings.NewReader(body)))
		if detail, _ := decoded(t, w)["detail"].(string); !strings.Contains(detail, want) {
			t.Errorf("%q, want %q", detail, want)
		}
	}
	w = s.do(request("PATCH", "/api/devices/new", "", strings.NewReader(`{"state":"accepted","state":"refused"}`)))
	if detail, _ := decoded(t, w)["detail"].(string); !strings.Contains(detail, `the member "state" twice`) {
		t.Errorf("%q", detail)
	}
}

// Members that are no settings are listed in a header.
func TestChangeDeviceNamesIgnoredMembers(t *testing.T) {
	for body, want := range map[string]string{
		`{"state":"refused"}`:                           "",
		`{"state":"refused","online":true,"id":"new"}`:  "id, online",
		`{"state":"refused","color":"red","a\r\nb":{}}`: "a??b, color",
	} {
		s, _ := newDoors(t, nil)
		w := s.do(request("PATCH", "/api/devices/new", "application/json", strings.NewReader(body)))
		if got := strings.Join(w.Header().Values("X-Ignored-Fields"), "|"); w.Code != 200 || got != want {
			t.Errorf("%s: %d, %q, want %q", body, w.Code, got, want)
		}
	}
}

// A command is sent unchanged, whatever its Content-Type.
// Bodies that must be rejected before anything is sent, on both routes.
// The same name in different objects is valid.
func TestBadDeviceRequests(t *testing.T) {
	const url = "/api/devices/" + door
	state := func(text string) io.Reader { return strings.NewReader(text) }
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		code    string
		want    string
	}{
		"unknown device":             {request("GET", "/api/devices/nobody", "", nil), 404, "not_found", "no device"},
		"unknown device, change":     {request("PATCH", "/api/devices/nobody", "", state(`{"state":"refused"}`)), 404, "not_found", "no device"},
		"unknown device, command":    {request("POST", "/api/devices/nobody/commands", "", state(`{}`)), 404, "not_found", "no device"},
		"bad id":                     {request("GET", "/api/devices/a+b", "", nil), 400, "invalid_request", "1 to 64"},
		"bad id, change":             {request("PATCH", "/api/devices/a+b", "", state(`{"state":"refused"}`)), 400, "invalid_request", "1 to 64"},
		"bad id, command":            {request("POST", "/api/devices/a+b/commands", "", state(`{}`)), 400, "invalid_request", "1 to 64"},
		"bad id, status":             {request("GET", "/api/devices/a+b/commands/"+commandID, "", nil), 400, "invalid_request", "1 to 64"},
		"wildcard":                   {request("GET", "/api/devices/%23", "", nil), 400, "invalid_request", "1 to 64"},
		"slash":                      {request("GET", "/api/devices/a%2fb", "", nil), 400, "invalid_request", "1 to 64"},
		"not UTF-8":                  {request("GET", "/api/devices/%ff%fe", "", nil), 400, "invalid_request", "1 to 64"},
		"line break":                 {request("GET", "/api/devices/a%0a", "", nil), 400, "invalid_request", "1 to 64"},
		"65 letters":                 {request("GET", "/api/devices/"+strings.Repeat("a", 65), "", nil), 400, "invalid_request", "1 to 64"},
		"no id":                      {request("POST", "/api/devices//commands", "", state(`{}`)), 400, "invalid_request", "id"},
		"filter by no state":         {request("GET", "/api/devices?state=asleep", "", nil), 400, "invalid_request", "accepted, quarantined or refused"},
		"no number":                  {request("GET", "/api/devices?limit=few", "", nil), 400, "invalid_request", "limit"},
		"no device":                  {request("GET", "/api/devices?limit=0", "", nil), 400, "invalid_request", "1 to 1000"},
		"too many devices":           {request("GET", "/api/devices?limit=1001", "", nil), 400, "invalid_request", "1 to 1000"},
		"a cursor of another list":   {request("GET", "/api/devices?cursor=am9iczo3", "", nil), 400, "invalid_request", "not one of this list"},
		"a cursor of no device":      {request("GET", "/api/devices?cursor=ZGV2aWNlczphK2I", "", nil), 400, "invalid_request", "not one of this list"},
		"no cursor":                  {request("GET", "/api/devices?cursor=a+b", "", nil), 400, "invalid_request", "cursor"},
		"a long search":              {request("GET", "/api/devices?search="+strings.Repeat("a", 101), "", nil), 400, "invalid_request", "at most 100 characters"},
		"filter by no boolean":       {request("GET", "/api/devices?online=maybe", "", nil), 400, "invalid_request", "online"},
		"no state":                   {request("PATCH", url, "", state(`{}`)), 400, "invalid_request", `{"state":"accepted"}`},
		"another state":              {request("PATCH", url, "", state(`{"state":"open"}`)), 400, "invalid_request", "accepted, quarantined or refused"},
		"state a number":             {request("PATCH", url, "", state(`{"state":7}`)), 400, "invalid_request", "accepted, quarantined or refused"},
		"change not JSON":            {request("PATCH", url, "", state(`state=refused`)), 400, "invalid_request", `{"state":"accepted"}`},
		"change without a body":      {request("PATCH", url, "", nil), 400, "invalid_request", `{"state":"accepted"}`},
		"change too large":           {request("PATCH", url, "", state(strings.Repeat(" ", 65<<10))), 413, "too_large", "65536 bytes"},
		"unknown device, commands":   {request("GET", "/api/devices/nobody/commands", "", nil), 404, "not_found", "no device"},
		"bad id, commands":           {request("GET", "/api/devices/a+b/commands", "", nil), 400, "invalid_request", "1 to 64"},
		"too many commands":          {request("GET", url+"/commands?limit=201", "", nil), 400, "invalid_request", "1 to 200"},
		"unknown command":            {request("GET", url+"/commands/0197a000-0000-7000-8000-000000000002", "", nil), 404, "not_found", "no command"},
		"command of another device":  {request("GET", "/api/devices/new/commands/"+commandID, "", nil), 404, "not_found", "no command"},
		"command id no UUID":         {request("GET", url+"/commands/7", "", nil), 400, "invalid_request", "command_id"},
		"wrong method, list":         {request("POST", "/api/devices", "", state(`{}`)), 405, "method_not_allowed", "/docs"},
		"wrong method, device":       {request("PUT", url, "", state(`{}`)), 405, "method_not_allowed", "/docs"},
		"wrong method, commands":     {request("PUT", url+"/commands", "", state(`{}`)), 405, "method_not_allowed", "/docs"},
		"wrong method, command":      {request("DELETE", url+"/commands/"+commandID, "", nil), 405, "method_not_allowed", "/docs"},
		"wrong method, front door":   {request("PUT", "/", "", state(`{}`)), 405, "method_not_allowed", "/docs"},
		"a page of another site":     {foreign("POST", "/"), 403, "forbidden", "page"},
		"its command":                {foreign("POST", url+"/commands"), 403, "forbidden", "page"},
		"its change":                 {foreign("PATCH", url), 403, "forbidden", "page"},
		"a page behind another port": {from("http://localhost:81", foreign("POST", "/")), 403, "forbidden", "page"},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newDoors(t, nil)
			w := s.do(c.request)
			p := problem(t, w)
			if w.Code != c.status || p["code"] != c.code || !strings.Contains(p["detail"].(string), c.want) {
				t.Errorf("got %d %v, want %d %s with %q", w.Code, p, c.status, c.code, c.want)
			}
			if d.state != "" || len(d.sent) != 0 && c.status != 404 {
				t.Errorf("something came of it: %+v", d)
			}
		})
	}
}

// foreign is a browser's request of a page of another site.
func foreign(method, target string) *http.Request {
	r := request(method, target, "text/plain", strings.NewReader(`{"cmd":"open","state":"accepted"}`))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return from("http://elsewhere.example", r)
}

func from(origin string, r *http.Request) *http.Request {
	r.Header.Set("Origin", origin)
	return r
}

// Errors of the terminals' side, and the responses for them.
func TestDeviceErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		again  string
	}{
		"busy":         {fmt.Errorf("send: %w", &edgelens.Busy{RetryAfter: 2500 * time.Millisecond, Reason: "too many commands wait"}), 503, "3"},
		"disk full":    {fmt.Errorf("send: %w", edgelens.ErrDiskFull), 507, ""},
		"not sayable":  {fmt.Errorf("%w: this terminal knows no such command", edgelens.ErrInvalid), 400, ""},
		"no default":   {fmt.Errorf("%w: no default terminal is set", edgelens.ErrNotFound), 404, ""},
		"shuts down":   {fmt.Errorf("send: %w", edgelens.ErrStopping), 503, "1"},
		"device, busy": {&edgelens.Busy{}, 503, "1"},
	} {
		for target, r := range map[string]*http.Request{
			"default terminal": request("POST", "/", "", strings.NewReader(`{}`)),
			"command":          request("POST", "/api/devices/"+door+"/commands", "", strings.NewReader(`{}`)),
			"change":           request("PATCH", "/api/devices/"+door, "", strings.NewReader(`{"state":"refused"}`)),
		} {
			t.Run(name+"/"+target, func(t *testing.T) {
				s, _ := newDoors(t, c.err)
				w := s.do(r)
				if problem(t, w); w.Code != c.status || w.Header().Get("Retry-After") != c.again {
					t.Errorf("got %d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
				}
			})
		}
	}
}

// A server without terminals still answers.
func TestServerWithoutTerminals(t *testing.T) {
	s := newServer(t, nil)
	if w := s.do(request("GET", "/api/devices", "", nil)); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"devices":[]}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	for _, r := range []*http.Request{
		request("GET", "/api/devices/"+door, "", nil),
		request("PATCH", "/api/devices/"+door, "", strings.NewReader(`{"state":"refused"}`)),
		request("POST", "/api/devices/"+door+"/commands", "", strings.NewReader(`{}`)),
		request("GET", "/api/devices/"+door+"/commands/"+commandID, "", nil),
		request("GET", "/api/devices/"+door+"/commands", "", nil),
		request("POST", "/", "", strings.NewReader(`{}`)),
	} {
		if w := s.do(r); w.Code != 404 || problem(t, w)["code"] != "not_found" {
			t.Errorf("%s %s: got %d %s", r.Method, r.URL, w.Code, w.Body)
		}
	}
}

// The content of commands is private to the terminal.
func TestHeadOfDevices(t *testing.T) {
	s, _ := newDoors(t, nil)
	web := httptest.NewServer(s)
	defer web.Close()
	for target, want := range map[string]int{
		"/api/devices": 200, "/api/devices/" + door: 200, "/api/devices/nobody": 404, "/api/devices/" + door + "/commands": 200,
		"/api/devices/" + door + "/commands/" + commandID: 200,
	} {
		response, err := web.Client().Head(web.URL + target)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != want || len(body) != 0 {
			t.Errorf("%s: %d with %d bytes, %v", target, response.StatusCode, len(body), err)
		}
	}
}

// Messages that were not understood are in one list, also those of unknown devices.
func TestListNotUnderstood(t *testing.T) {
	s, _ := newDoors(t, nil)
	w := s.do(request("GET", "/api/not-understood", "", nil))
	list, _ := decoded(t, w)["not_understood"].([]any)
	if w.Code != 200 || len(list) != 2 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if foreign := list[1].(map[string]any); foreign["topic"] != "up" || foreign["device"] != nil || foreign["dialect"] != nil || foreign["count"] != 1.0 {
		t.Errorf("%v", foreign)
	}
}
