package main

import (
	"os"
	"strconv"
)

type settings struct {
	host, port, user, password                                 string
	work, exchange, routingKey, queue, samples                 string
	count, size, window, prefetch, connections, seconds, limit int
}

func settingsFromEnvironment() settings {
	return settings{
		host: text("BENCH_HOST"), port: text("BENCH_PORT"),
		user: text("BENCH_USER"), password: text("BENCH_PASSWORD"),
		work: text("BENCH_WORK"), exchange: text("BENCH_EXCHANGE"), routingKey: text("BENCH_ROUTING_KEY"),
		queue: text("BENCH_QUEUE"), samples: text("BENCH_SAMPLES"),
		count: number("BENCH_COUNT"), size: number("BENCH_SIZE"), window: number("BENCH_WINDOW"),
		prefetch: number("BENCH_PREFETCH"), connections: number("BENCH_CONNECTIONS"),
		seconds: number("BENCH_SECONDS"), limit: number("BENCH_LIMIT"),
	}
}

func text(name string) string {
	value, found := os.LookupEnv(name)
	if !found {
		fail("the environment has no %s", name)
	}
	return value
}

func number(name string) int {
	value, err := strconv.Atoi(text(name))
	if err != nil || value < 0 {
		fail("%s is '%s', and no number", name, text(name))
	}
	return value
}
