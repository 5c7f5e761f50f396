package supervisetest

import (
	"testing"

	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// FindRedis returns the path of redis-server. The test is skipped where it is missing, and
// with -short, which leaves out tests that start servers.
func FindRedis(t testing.TB) string {
	t.Helper()
	return find(t, supervise.FindRedis)
}

// FindMosquitto returns the path of mosquitto. The test is skipped as by FindRedis.
func FindMosquitto(t testing.TB) string {
	t.Helper()
	return find(t, supervise.FindMosquitto)
}

func find(t testing.TB, program func() (string, error)) string {
	t.Helper()
	testutil.SkipIfShort(t, "it starts a server")
	path, err := program()
	if err != nil {
		t.Skipf("%v; `make setup` installs it", err)
	}
	return path
}
