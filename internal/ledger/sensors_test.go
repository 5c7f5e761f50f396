//go:build cgo

package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

// noon is the time of the ledgers of these tests.
var noon = time.Date(2026, 4, 10, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

func seriesOf(device string) edgelens.StoredSeries {
	return edgelens.StoredSeries{ID: edgelens.SeriesID(device, "temperature"), Device: device, Field: "temperature", Unit: "°C"}
}

// pointsOf returns points of a device, a second from each other.
func pointsOf(device string, from time.Time, values ...float64) (points []edgelens.Point) {
	for i, value := range values {
		points = append(points, edgelens.Point{Series: seriesOf(device).ID, Seq: int64(i + 1), At: from.Add(time.Duration(i) * time.Second), Value: value, Freshness: edgelens.FreshnessFresh})
	}
	return points
}

func historyOf(t testing.TB, l *ledger.Ledger, device string, since, until time.Time, step time.Duration) edgelens.PointHistory {
	t.Helper()
	history, err := l.Sensors.Points(t.Context(), edgelens.PointQuery{Series: seriesOf(device).ID, Since: since, Until: until, Step: step})
	must(t, err)
	return history
}

// Points and the exact sums of their minutes survive a restart, after which values of the same minute are added.
func TestPointsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet(), steady(atNoon))
	first := pointsOf("hall", noon.Add(-time.Minute), 1, 5, 3)
	first[1].Anomaly = &edgelens.Anomaly{BySigma: true, Sigma: 9}
	must(t, l.Sensors.SavePoints(t.Context(), first, []edgelens.StoredSeries{seriesOf("hall")}))
	closeLedger(t, l)

	l = open(t, dir, quiet(), steady(atNoon))
	second := pointsOf("hall", noon.Add(-30*time.Second), 9, -2)
	must(t, l.Sensors.SavePoints(t.Context(), second, nil))
	single := historyOf(t, l, "hall", noon.Add(-time.Hour), noon, 0)
	equal(t, "step", single.Step, time.Duration(0))
	var values []float64
	for _, p := range single.Points {
		values = append(values, p.Mean)
	}
	if !slices.Equal(values, []float64{1, 5, 3, 9, -2}) || single.Points[1].Anomalies != 1 || single.Points[0].Anomalies != 0 {
		t.Errorf("%+v", single.Points)
	}
	minutes := historyOf(t, l, "hall", noon.Add(-time.Hour), noon, time.Minute)
	want := edgelens.PointSummary{At: noon.Add(-time.Minute), Mean: 16.0 / 5, Min: -2, Max: 9, Count: 5, Anomalies: 1}
	if len(minutes.Points) != 1 || minutes.Points[0] != want {
		t.Errorf("minutes %+v, want %+v", minutes.Points, want)
	}
	all, err := l.Sensors.Series(t.Context(), 10)
	must(t, err)
	if len(all) != 1 || all[0].Device != "hall" || all[0].Unit != "°C" || all[0].Last != -2 || !all[0].LastAt.Equal(second[1].At) {
		t.Errorf("%+v", all)
	}
}

// A replayed point that is stored already changes nothing: brokers deliver retained values again and again.
func TestReplayedPointsAreStoredOnce(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), steady(atNoon))
	replayed := edgelens.Point{Series: seriesOf("hall").ID, At: noon.Add(-2 * time.Hour), Value: 7, Freshness: edgelens.FreshnessReplayed}
	for range 3 {
		must(t, l.Sensors.SavePoints(t.Context(), []edgelens.Point{replayed}, []edgelens.StoredSeries{seriesOf("hall")}))
	}
	minutes := historyOf(t, l, "hall", noon.Add(-3*time.Hour), noon, time.Minute)
	if len(minutes.Points) != 1 || minutes.Points[0].Count != 1 {
		t.Errorf("%+v", minutes.Points)
	}
}

// Points of 1970 and 2100 are left out, counted and logged; the others of the batch are stored.
func TestPointsFarOffAreLeftOut(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	l := open(t, t.TempDir(), quiet(), steady(atNoon), func(p *ledger.Parts) {
		p.Log, p.Registerer = slog.New(slog.NewTextHandler(&log, nil)), registry
	})
	points := pointsOf("hall", noon.Add(-time.Minute), 1, 2, 3)
	points[0].At, points[2].At = time.Unix(0, 0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	must(t, l.Sensors.SavePoints(t.Context(), points, []edgelens.StoredSeries{seriesOf("hall")}))
	if all := historyOf(t, l, "hall", time.Unix(0, 0), time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC), time.Minute); len(all.Points) != 1 || all.Points[0].Mean != 2 {
		t.Errorf("%+v", all.Points)
	}
	metrics := testutil.Metrics(t, registry)
	equal(t, "too old", metrics["edgelens_sensor_points_left_out_total too_old"], 1.0)
	equal(t, "ahead", metrics["edgelens_sensor_points_left_out_total ahead"], 1.0)
	equal(t, "points", metrics["edgelens_sensor_stored_rows points"], 1.0)
	if !bytes.Contains(log.Bytes(), []byte("sensor_point_left_out")) {
		t.Errorf("log %s", &log)
	}
}

// What never can be stored is an edgelens.ErrInvalid, and nothing of its batch is stored.
func TestInvalidPointsAreRefused(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), steady(atNoon))
	hall := []edgelens.StoredSeries{seriesOf("hall")}
	for name, value := range map[string]float64{"NaN": math.NaN(), "Inf": math.Inf(1)} {
		if err := l.Sensors.SavePoints(t.Context(), pointsOf("hall", noon, 1, value), hall); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.Sensors.SavePoints(t.Context(), append(pointsOf("hall", noon, 1), pointsOf("nobody", noon, 1)...), hall); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("an unknown series: %v", err)
	}
	if _, err := l.Sensors.Points(t.Context(), edgelens.PointQuery{Series: seriesOf("hall").ID, Since: noon, Until: noon.Add(time.Hour)}); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("the series of a batch that failed: %v", err)
	}
	if _, err := l.Sensors.Points(t.Context(), edgelens.PointQuery{Series: seriesOf("hall").ID, Since: noon, Until: noon}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("no time: %v", err)
	}
}

// Single values are removed after a day, minutes after thirty, and then the series.
func TestOldPointsAreSwept(t *testing.T) {
	now := noon
	l := open(t, t.TempDir(), quiet(), steady(func() time.Time { return now }))
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf("hall", noon, make([]float64, 5000)...), []edgelens.StoredSeries{seriesOf("hall")}))
	count := func() (points, minutes, series int) {
		all, err := l.Sensors.Series(t.Context(), 10)
		must(t, err)
		if len(all) == 0 {
			return 0, 0, 0
		}
		single := historyOf(t, l, "hall", now.Add(-23*time.Hour), now.Add(2*time.Hour), 0)
		return len(single.Points), len(historyOf(t, l, "hall", noon.Add(-time.Hour), noon.Add(3*time.Hour), time.Minute).Points), len(all)
	}
	for _, step := range []struct {
		at                      time.Duration
		points, minutes, series int
	}{{time.Hour, 5000, 84, 1}, {27 * time.Hour, 0, 84, 1}, {30*24*time.Hour + 30*time.Minute, 0, 54, 1}, {31 * 24 * time.Hour, 0, 0, 0}} {
		now = noon.Add(step.at)
		_, err := l.Sweep(t.Context(), now)
		must(t, err)
		if points, minutes, series := count(); points != step.points || minutes != step.minutes || series != step.series {
			t.Errorf("after %v: %d points, %d minutes, %d series; want %+v", step.at, points, minutes, series, step)
		}
	}
}

// Values and minutes do not exceed their bytes: the oldest are removed, and the newest stay.
func TestPointsAreBoundedInBytes(t *testing.T) {
	config := quiet()
	config.SensorMaxBytes = 1 << 20
	registry := prometheus.NewRegistry()
	l := open(t, t.TempDir(), config, steady(atNoon), func(p *ledger.Parts) { p.Registerer = registry })
	const devices, each = 10, 5000
	for i := range devices {
		device := fmt.Sprint("d", i)
		must(t, l.Sensors.SavePoints(t.Context(), pointsOf(device, noon.Add(-2*time.Hour), make([]float64, each)...), []edgelens.StoredSeries{seriesOf(device)}))
	}
	before := testutil.Metrics(t, registry)["edgelens_sensor_stored_bytes"]
	_, err := l.Sweep(t.Context(), noon)
	must(t, err)
	after := testutil.Metrics(t, registry)
	if bytes := after["edgelens_sensor_stored_bytes"]; before <= 1<<20 || bytes > 1<<20 || bytes < 1<<19 {
		t.Errorf("%v bytes, then %v", before, bytes)
	}
	left := historyOf(t, l, "d3", noon.Add(-3*time.Hour), noon, 0).Points
	if newest := noon.Add(-2 * time.Hour).Add((each - 1) * time.Second); len(left) == 0 || !left[len(left)-1].At.Equal(newest) || len(left) == each {
		t.Errorf("%d points are left", len(left))
	}
}

// However many values there are, a response has at most 5000 points, and covers the whole time.
func TestHistoryIsBounded(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), steady(atNoon))
	values := make([]float64, 20_000)
	for i := range values {
		values[i] = float64(i)
	}
	must(t, l.Sensors.SavePoints(t.Context(), pointsOf("hall", noon.Add(-6*time.Hour), values...), []edgelens.StoredSeries{seriesOf("hall")}))
	history := historyOf(t, l, "hall", noon.Add(-6*time.Hour), noon, 0)
	var count int64
	for _, p := range history.Points {
		count += p.Count
	}
	if len(history.Points) > 5000 || count != 20_000 || history.Step <= 0 || history.Step >= time.Minute {
		t.Errorf("%d points of %d values, by %v", len(history.Points), count, history.Step)
	}
	if long := historyOf(t, l, "hall", noon.Add(-365*24*time.Hour), noon.Add(time.Hour), time.Second); len(long.Points) == 0 || len(long.Points) > 5000 || long.Step%time.Minute != 0 {
		t.Errorf("%d points by %v", len(long.Points), long.Step)
	}
}

// The points of sensors do not make the ledger remove jobs: they have bytes of their own.
func TestPointsDoNotCountAsLedger(t *testing.T) {
	config := quiet()
	config.MaxBytes, config.MinAge = 4<<20, time.Minute
	now := noon
	l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
	id := accept(t, l).ID
	_, err := l.Jobs.Cancel(t.Context(), id)
	must(t, err)
	for i := range 30 {
		device := fmt.Sprint("d", i)
		must(t, l.Sensors.SavePoints(t.Context(), pointsOf(device, noon.Add(-2*time.Hour), make([]float64, 5000)...), []edgelens.StoredSeries{seriesOf(device)}))
	}
	now = noon.Add(5 * time.Minute)
	_, err = l.Sweep(t.Context(), now)
	must(t, err)
	if _, err := l.Jobs.Job(t.Context(), id); err != nil {
		t.Errorf("the job: %v", err)
	}
}

func BenchmarkSavePoints(b *testing.B) {
	l := open(b, filepath.Join(b.TempDir(), "l"), quiet(), steady(atNoon))
	var series []edgelens.StoredSeries
	for i := range 1000 {
		series = append(series, seriesOf(fmt.Sprint("d", i)))
	}
	at := noon.Add(-20 * time.Hour)
	for n := range b.N {
		points := make([]edgelens.Point, 0, 5000)
		for i := range 5000 {
			points = append(points, edgelens.Point{Series: series[i%1000].ID, Seq: int64(n*5 + i/1000), At: at.Add(time.Duration(n*5+i/1000) * 100 * time.Millisecond), Value: 23.5, Freshness: edgelens.FreshnessFresh})
		}
		if err := l.Sensors.SavePoints(b.Context(), points, series); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*5000)/b.Elapsed().Seconds(), "points/s")
}
