package board_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"edgelens/internal/board"
)

// tree makes files below a root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

var pi = map[string]string{
	"sys/firmware/devicetree/base/model": "Raspberry Pi 4 Model B Rev 1.4\x00",
	"proc/cpuinfo":                       "processor\t: 0\nFeatures\t: fp asimd evtstrm asimddp cpuid\nCPU part\t: 0xd08\n\nprocessor\t: 1\nFeatures\t: other\n\nModel\t\t: Raspberry Pi 4 Model B\n",
	"proc/meminfo":                       "MemTotal:        3884380 kB\nMemAvailable:    3000000 kB\n",
	"proc/sys/kernel/osrelease":          "6.1.21-v8+\n",
	"proc/loadavg":                       "0.52 0.30 0.10 1/200 999\n",
	"etc/os-release":                     "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
	"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
	"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
	"sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "1800000\n",
	"sys/class/thermal/thermal_zone0/temp":                 "48312\n",
	"sys/class/thermal/thermal_zone1/temp":                 "51000\n",
	"sys/devices/platform/soc/soc:firmware/get_throttled":  "50000\n",
}

func noCommand(context.Context, string, ...string) (string, error) {
	return "", errors.New("no such program")
}

func TestRaspberryPi(t *testing.T) {
	p := board.Prober{Root: tree(t, pi), Command: noCommand}
	f := p.Facts()
	if f.Model != "Raspberry Pi 4 Model B Rev 1.4" || f.CPU != "Raspberry Pi 4 Model B" || !reflect.DeepEqual(f.Features, []string{"asimd", "asimddp"}) ||
		f.MemoryBytes != 3884380<<10 || f.Kernel != "6.1.21-v8+" || f.OS != "Debian GNU/Linux 12 (bookworm)" {
		t.Errorf("%+v", f)
	}
	s := p.State(t.Context())
	if s.Governor != "ondemand" || s.MHz != 1500 || s.MaxMHz != 1800 || s.Celsius == nil || *s.Celsius != 51 || s.Load != 0.52 ||
		s.Throttled == nil || *s.Throttled != 0x50000 || s.Throttles != nil {
		t.Errorf("%+v", s)
	}
}

func TestUnknownFactsAreEmpty(t *testing.T) {
	p := board.Prober{Root: t.TempDir(), Command: noCommand}
	s := p.State(t.Context())
	if s.Celsius != nil || s.Throttled != nil || s.Throttles != nil || s.Governor != "" || s.MHz != 0 {
		t.Errorf("%+v", s)
	}
	if f := p.Facts(); f.Model != "" || f.CPU != "" || f.Cores == 0 {
		t.Errorf("%+v", f)
	}
}

func TestThrottledByVcgencmd(t *testing.T) {
	p := board.Prober{Root: t.TempDir(), Command: func(_ context.Context, name string, args ...string) (string, error) {
		if name != "vcgencmd" || len(args) != 1 || args[0] != "get_throttled" {
			t.Errorf("it ran %s %q", name, args)
		}
		return "throttled=0x80008\n", nil
	}}
	if s := p.State(t.Context()); s.Throttled == nil || *s.Throttled != 0x80008 {
		t.Errorf("%+v", s)
	}
}

func TestProblems(t *testing.T) {
	flags := func(f uint32) board.State { return board.State{Throttled: &f} }
	hot := func(c float64) board.State { return board.State{Celsius: &c} }
	counted := func(n int64) board.State { return board.State{Throttles: &n} }
	for name, tt := range map[string]struct {
		before, after board.State
		want          string // in the only problem; empty for none
	}{
		"nothing known":             {board.State{}, board.State{}, ""},
		"all well":                  {flags(0), flags(0), ""},
		"throttled long before":     {flags(0x40000), flags(0x40000), ""},
		"throttled meanwhile":       {flags(0), flags(0x40000), "throttled"},
		"under-voltage meanwhile":   {flags(0x40000), flags(0x50000), "power supply"},
		"still capped":              {flags(0x20000), flags(0x20002), "capped"},
		"throttled at the start":    {flags(0x40004), flags(0x40000), "throttled"},
		"soft limit meanwhile":      {flags(0), flags(0x80000), "soft temperature"},
		"hot at the end":            {hot(60), hot(80.5), "after"},
		"hot at the start":          {hot(81), hot(70), "before"},
		"warm":                      {hot(79), hot(79.9), ""},
		"a PC slowed down":          {counted(3), counted(5), "2 times"},
		"a PC slowed down long ago": {counted(3), counted(3), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := board.Problems(tt.before, tt.after)
			if tt.want == "" && len(got) != 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWarningAboutBusyMachine(t *testing.T) {
	quiet := board.State{Governor: "performance", Load: 0.2}
	if w := board.Warnings(board.Facts{Cores: 2}, quiet); len(w) != 0 {
		t.Errorf("%q", w)
	}
	if w := board.Warnings(board.Facts{Cores: 2}, board.State{Governor: "ondemand", Load: 1.5}); len(w) != 2 {
		t.Errorf("%q", w)
	}
}

// A board that is throttled, or was since it was started, has the reasons; one that does not report it has none.
func TestThrottling(t *testing.T) {
	flags := func(f uint32) board.State { return board.State{Throttled: &f} }
	throttles := int64(3)
	for name, tt := range map[string]struct {
		state board.State
		want  []string // a part of each reason
	}{
		"unknown":        {board.State{}, nil},
		"all well":       {flags(0), nil},
		"now":            {flags(0x50005), []string{"The board reports under-voltage", "The board reports throttled"}},
		"since then":     {flags(0x80000), []string{"Since it was started, the board has reported the soft temperature limit"}},
		"a PC slow once": {board.State{Throttles: &throttles}, []string{"3 times"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := tt.state.Throttling()
			if got == nil || len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
		})
	}
}
