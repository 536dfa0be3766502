package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

type stopwatch struct {
	input     *bufio.Reader
	wallStart time.Time
	cpuStart  int64
}

// startMeasuring tells the driver that the set-up is done, waits for its word, and starts to measure.
func startMeasuring() stopwatch {
	watch := stopwatch{input: bufio.NewReader(os.Stdin)}
	fmt.Println("ready")
	_, err := watch.input.ReadString('\n')
	require(err, "the driver is gone")
	watch.wallStart, watch.cpuStart = time.Now(), cpuTime()
	return watch
}

// report stops measuring, reports, and waits until the driver has read what it wants of this process.
func (watch stopwatch) report(count int, bytes int64) {
	wall, cpu := time.Since(watch.wallStart), cpuTime()-watch.cpuStart
	fmt.Printf("{\"count\":%d,\"bytes\":%d,\"wall_ns\":%d,\"cpu_ns\":%d}\n", count, bytes, wall.Nanoseconds(), cpu)
	_, err := io.Copy(io.Discard, watch.input)
	require(err, "standard input")
}

func cpuTime() int64 {
	var usage syscall.Rusage
	require(syscall.Getrusage(syscall.RUSAGE_SELF, &usage), "getrusage")
	return usage.Utime.Nano() + usage.Stime.Nano()
}
