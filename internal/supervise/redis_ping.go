package supervise

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// redisReady returns nil where the Redis at the socket answers PING with PONG;
// one that still loads its data does not.
func redisReady(ctx context.Context, socket string) error {
	answer, err := pingRedis(ctx, socket)
	if err == nil && answer != "+PONG" {
		err = fmt.Errorf("redis-server answers PING with %q", answer)
	}
	return err
}

// redisAlive returns nil where the Redis at the socket answers PING with anything: -LOADING and -BUSY mean that it
// works.
func redisAlive(ctx context.Context, socket string) error {
	_, err := pingRedis(ctx, socket)
	return err
}

// pingRedis returns what the Redis at the socket answers to PING, without the
// end of the line
// (https://redis.io/docs/latest/develop/reference/protocol-spec/).
func pingRedis(ctx context.Context, socket string) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	// The end of ctx, whether by its deadline or before, ends the exchange.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return "", err
	}
	answer, err := bufio.NewReaderSize(conn, 256).ReadString('\n')
	return strings.TrimSpace(answer), err
}
