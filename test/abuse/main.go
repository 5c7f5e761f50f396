// Command abuse attacks a running edgelens as hostile clients and crowds do, and measures what its other clients, its
// doors and its machine notice. It is a black box: it starts the program with a private Redis and broker, and uses HTTP
// and MQTT. `make abuse` runs it; docs/abuse.md describes the rows of its table.
//
// It exits with status 1 where a figure is missed, and 2 where it could not measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The exit statuses besides 0.
const (
	exitMissed = 1
	exitFailed = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:]))
}

// errUsage: the flags are wrong; the message is printed already.
var errUsage = errors.New("")

func run(ctx context.Context, args []string) int {
	c, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return exitFailed
	case err != nil:
		fmt.Fprintf(os.Stderr, "abuse: %v\n", err)
		return exitFailed
	}
	if c.list {
		for _, r := range rows {
			fmt.Printf("%-10s %s\n", r.name, r.title)
		}
		return 0
	}
	if c.write != "" {
		if err := writeInputs(ctx, c); err != nil {
			fmt.Fprintf(os.Stderr, "abuse: %v\n", err)
			return exitFailed
		}
		return 0
	}
	missed, err := measure(ctx, c)
	if err != nil {
		fmt.Fprintf(os.Stderr, "abuse: %v\n", err)
		return exitFailed
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "abuse: %d figures missed\n", missed)
		return exitMissed
	}
	return 0
}

// config is what the flags choose.
type config struct {
	program, models, out, key string
	// write is a folder for the inputs, which are not sent then; "" sends them.
	write        string
	serveFlags   []string
	only, inputs []string
	seed         uint64
	// short measures less, and check lets only what a slow machine does as well as a fast one decide.
	short, check, list bool
	// generator is a program that writes more inputs, and photographs the folder of the images that it begins with; ""
	// for none.
	generator, photographs string
	plan                   plan
}

// plan is how much is measured.
type plan struct {
	// window is the duration of one load, and rounds is how often each is measured.
	window time.Duration
	rounds int
	// flips is the number of damaged files of each format.
	flips int
	// timeout is how long an input's answer is awaited.
	timeout time.Duration
	// doors is the duration of a measurement of doors, and idle that of the idle service.
	doors, idle time.Duration
	// waves is the maximum number of inputs that are sent nine at a time.
	waves int
	// stops is how often the service is stopped.
	stops int
	// served is the wanted share of the requests of ordinary clients beside others that hold connections, in percent.
	served float64
	// newcomer is how long a new terminal waits for the event of its first record.
	newcomer time.Duration
}

func longPlan() plan {
	return plan{window: 15 * time.Second, rounds: 3, flips: 20, timeout: 40 * time.Second, doors: 40 * time.Second, idle: time.Minute, waves: 1000, stops: 3, served: 99.9, newcomer: newcomerWithin}
}

func shortPlan() plan {
	return plan{window: 6 * time.Second, rounds: 1, flips: 3, timeout: 10 * time.Second, doors: 15 * time.Second, idle: 20 * time.Second, waves: 24, stops: 1, served: 99.9, newcomer: newcomerWithin}
}

// checkPlan is for a machine of any speed, which may have other work.
func checkPlan() plan {
	return plan{window: 4 * time.Second, rounds: 1, flips: 1, timeout: 30 * time.Second, doors: 5 * time.Second, idle: 5 * time.Second, waves: 5, stops: 1, served: 90, newcomer: time.Minute}
}

// checkRows are those whose figures do not depend on the speed of the machine alone.
var checkRows = []string{"inputs", "claims", "strangers", "stop"}

func parse(args []string) (config, error) {
	c := config{plan: longPlan()}
	f := flag.NewFlagSet("abuse", flag.ContinueOnError)
	f.StringVar(&c.program, "program", "bin/edgelens", "the program to attack")
	f.StringVar(&c.models, "models", "data/models", "folder with its models; without the default classifier, the built-in quality model answers")
	f.StringVar(&c.out, "out", "dist", "folder for abuse.md and abuse.json")
	f.StringVar(&c.key, "key", "", "key for the requests, if the service needs one")
	f.Func("serve-flag", "a flag for `edgelens serve`, such as --http-keys-file=FILE; repeatable", func(text string) error {
		c.serveFlags = append(c.serveFlags, text)
		return nil
	})
	only := f.String("only", "", "rows to measure, comma-separated; empty: all")
	inputs := f.String("inputs", "", "beginnings of names of inputs to send, comma-separated; empty: all")
	f.Uint64Var(&c.seed, "seed", 1, "random seed: another one gives other inputs of the same kinds")
	f.BoolVar(&c.short, "short", false, "measure in a few minutes, with fewer inputs and less certainty")
	f.BoolVar(&c.check, "check", false, "measure some rows in a minute; only what does not depend on the machine's speed decides")
	f.BoolVar(&c.list, "list", false, "list the rows")
	f.StringVar(&c.write, "write", "", "folder to write the inputs into, which are not sent then")
	f.StringVar(&c.generator, "generator", "", "program that writes more inputs into a folder, with a manifest.json")
	f.StringVar(&c.photographs, "photographs", "", "folder of photographs for that program")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, err
		}
		return c, errUsage
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q; rows are chosen by --only", f.Arg(0))
	}
	c.only, c.inputs = fields(*only), fields(*inputs)
	switch {
	case c.check:
		c.plan = checkPlan()
		if len(c.only) == 0 {
			c.only = checkRows
		}
	case c.short:
		c.plan = shortPlan()
	}
	for _, name := range c.only {
		if _, ok := rowNamed(name); !ok {
			return c, fmt.Errorf("there is no row %q; --list lists them", name)
		}
	}
	return c, nil
}

func fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
