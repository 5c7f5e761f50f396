package supervise

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
)

// pingRedis returns nil where the Redis at the socket answers PING; one that
// still loads its data does not (https://redis.io/docs/latest/develop/reference/protocol-spec/).
func pingRedis(ctx context.Context, socket string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReaderSize(conn, 256).ReadString('\n')
	if err != nil {
		return err
	}
	if answer = strings.TrimSpace(answer); answer != "+PONG" {
		return fmt.Errorf("redis-server answers PING with %q", answer)
	}
	return nil
}
