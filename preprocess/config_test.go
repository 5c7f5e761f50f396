package preprocess

import (
	"math"
	"strings"
	"testing"
)

func TestConfigValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   []string
	}{
		"defaults":           {func(*Config) {}, nil},
		"no pixels":          {func(c *Config) { c.MaxPixels = 0 }, []string{"max_pixels must be"}},
		"too many pixels":    {func(c *Config) { c.MaxPixels = math.MaxInt64 }, []string{"max_pixels must be"}},
		"negative side":      {func(c *Config) { c.MaxSide = -1 }, []string{"max_side must be"}},
		"huge side":          {func(c *Config) { c.MaxSide = math.MaxInt32 }, []string{"max_side must be"}},
		"no scans":           {func(c *Config) { c.MaxScans = 0 }, []string{"max_scans must be"}},
		"hardly reduced":     {func(c *Config) { c.ReduceJPEG = 64 }, nil},
		"reduced too far":    {func(c *Config) { c.ReduceJPEG = 0.5 }, []string{"reduce_jpeg must be"}},
		"reduced by nothing": {func(c *Config) { c.ReduceJPEG = math.NaN() }, []string{"reduce_jpeg must be"}},
		"all errors at once": {func(c *Config) { *c = Config{} }, []string{"max_pixels", "max_side", "max_scans"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			test.change(&c)
			err := c.Validate()
			if (err == nil) != (test.want == nil) {
				t.Fatalf("Validate() = %v", err)
			}
			for _, word := range test.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not name %q", err, word)
				}
			}
			if _, newErr := New(c); err != nil && newErr == nil {
				t.Error("New took a config that is not valid")
			}
		})
	}
}
