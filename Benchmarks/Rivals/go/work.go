package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s settings) connect() (*amqp.Connection, *amqp.Channel) {
	connection, err := amqp.DialConfig(
		fmt.Sprintf("amqp://%s:%s@%s/", s.user, s.password, net.JoinHostPort(s.host, s.port)),
		amqp.Config{Heartbeat: 30 * time.Second})
	require(err, "connecting")
	channel, err := connection.Channel()
	require(err, "channel.open")
	return connection, channel
}

func (s settings) consume(channel *amqp.Channel) <-chan amqp.Delivery {
	require(channel.Qos(s.prefetch, 0, false), "basic.qos")
	deliveries, err := channel.Consume(s.queue, "", false, false, false, false, nil)
	require(err, "basic.consume")
	return deliveries
}

func (s settings) message() amqp.Publishing {
	return amqp.Publishing{
		ContentType: "application/octet-stream", DeliveryMode: amqp.Persistent,
		Body: bytes.Repeat([]byte("x"), s.size),
	}
}

// A round trip on the same channel ends it, so that the broker has taken every message.
func workPublish(s settings) {
	connection, channel := s.connect()
	message := s.message()
	watch := startMeasuring()
	for i := 0; i < s.count; i++ {
		require(channel.PublishWithContext(context.Background(), s.exchange, s.routingKey, false, false, message), "publish")
	}
	_, err := channel.QueueDeclarePassive(s.queue, true, false, false, false, nil)
	require(err, "queue.declare, passive")
	watch.report(s.count, int64(s.count)*int64(s.size))
	require(connection.Close(), "connection.close")
}

func (s settings) publishConfirmed(channel *amqp.Channel, message amqp.Publishing) *amqp.DeferredConfirmation {
	confirmation, err := channel.PublishWithDeferredConfirmWithContext(
		context.Background(), s.exchange, s.routingKey, false, false, message)
	require(err, "publish")
	return confirmation
}

func await(confirmation *amqp.DeferredConfirmation) {
	if !confirmation.Wait() {
		fail("the broker refused a message")
	}
}

func workConfirm(s settings) {
	var connections []*amqp.Connection
	var channels []*amqp.Channel
	for i := 0; i < s.connections; i++ {
		connection, channel := s.connect()
		require(channel.Confirm(false), "confirm.select")
		connections, channels = append(connections, connection), append(channels, channel)
	}
	window := s.window / s.connections
	if window < 1 {
		window = 1
	}
	message := s.message()

	watch := startMeasuring()
	var parts sync.WaitGroup
	for i, channel := range channels {
		count := s.count / s.connections
		if i < s.count%s.connections {
			count++
		}
		parts.Add(1)
		go func(channel *amqp.Channel) {
			defer parts.Done()
			unconfirmed := make([]*amqp.DeferredConfirmation, window)
			for i := 0; i < count+window; i++ {
				if oldest := unconfirmed[i%window]; oldest != nil {
					await(oldest)
					unconfirmed[i%window] = nil
				}
				if i < count {
					unconfirmed[i%window] = s.publishConfirmed(channel, message)
				}
			}
		}(channel)
	}
	parts.Wait()
	watch.report(s.count, int64(s.count)*int64(s.size))
	for _, connection := range connections {
		require(connection.Close(), "connection.close")
	}
}

func workConsume(s settings) {
	connection, channel := s.connect()
	watch := startMeasuring()
	deliveries := s.consume(channel)
	var bytes int64
	for i := 0; i < s.count; i++ {
		delivery, open := <-deliveries
		if !open {
			fail("the deliveries ended after %d", i)
		}
		bytes += int64(len(delivery.Body))
		require(delivery.Ack(false), "basic.ack")
	}
	watch.report(s.count, bytes)
	require(connection.Close(), "connection.close")
}

// One message in flight: published on one connection, consumed on another. Acknowledgment and confirm are outside the
// sample.
func workLatency(s settings) {
	publishing, publisher := s.connect()
	consuming, consumer := s.connect()
	require(publisher.Confirm(false), "confirm.select")
	deliveries := s.consume(consumer)
	message := s.message()
	samples := make([]int64, 0, s.count)
	var bytes int64

	watch := startMeasuring()
	for i := 0; i < s.count; i++ {
		start := time.Now()
		confirmation := s.publishConfirmed(publisher, message)
		delivery := <-deliveries
		samples = append(samples, time.Since(start).Nanoseconds())
		bytes += int64(len(delivery.Body))
		require(delivery.Ack(false), "basic.ack")
		await(confirmation)
	}
	watch.report(s.count, bytes)

	file, err := os.Create(s.samples)
	require(err, "samples")
	writer := bufio.NewWriter(file)
	for _, sample := range samples {
		fmt.Fprintln(writer, sample)
	}
	require(writer.Flush(), "samples")
	require(file.Close(), "samples")
	require(publishing.Close(), "connection.close")
	require(consuming.Close(), "connection.close")
}

func workIdle(s settings) {
	connection, channel := s.connect()
	deliveries := s.consume(channel)
	watch := startMeasuring()
	select {
	case <-deliveries:
		fail("something came while there was nothing to come")
	case <-time.After(time.Duration(s.seconds) * time.Second):
	}
	watch.report(0, 0)
	require(connection.Close(), "connection.close")
}

// The library does not export its version, but tells it to every broker; the build passes it on.
var libraryVersion = "of unknown version"

func printVersion() {
	fmt.Printf("amqp091-go %s (%s)\n", libraryVersion, runtime.Version())
}
