// Calls every method of ProbeService and prints what came of each as a line of JSON.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"probe.mesh/client"
	probev1 "probe.mesh/client/probe/v1"
)

type values struct {
	Currency string   `json:"currency"`
	Units    int64    `json:"units,string"`
	Nanos    int32    `json:"nanos"`
	Seconds  int64    `json:"seconds,string"`
	Fraction int32    `json:"fraction"`
	Paths    []string `json:"paths"`
	Text     string   `json:"text"`
	Signed   int64    `json:"signed,string"`
	Unsigned uint64   `json:"unsigned,string"`
}

type vector struct {
	Values values `json:"values"`
	Bytes  string `json:"bytes"`
}

func main() {
	connection, err := grpc.NewClient(os.Getenv("PROBE_ADDRESS"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	defer connection.Close()
	probe := probev1.NewProbeServiceClient(connection)
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("PROBE_TOKEN"))

	unary(ctx, probe)
	stream(ctx, probe)
	talk(ctx, probe)
	deadline(ctx, probe)
	declaredError(ctx, probe)
	_, err = probe.Echo(context.Background(), &probev1.EchoRequest{Sample: &probev1.Sample{}})
	say("without a token", "code", status.Code(err))
	method := client.Methods[probev1.ProbeService_Echo_FullMethodName]
	say("table", "deadline", method.Deadline.Milliseconds(), "repeatable", method.Repeatable, "user", method.Audience == client.User)
	vectors(ctx, probe)
}

func unary(ctx context.Context, probe probev1.ProbeServiceClient) {
	var trailer metadata.MD
	ctx = metadata.AppendToOutgoingContext(ctx, "x-probe", "ping")
	request := &probev1.EchoRequest{Sample: &probev1.Sample{Text: "hello"}}
	response, err := probe.Echo(ctx, request, grpc.Trailer(&trailer))
	must(err)
	say("unary", "text", response.Sample.Text, "answer", trailer["x-probe-answer"][0], "user", trailer["x-probe-user"][0])
}

func stream(ctx context.Context, probe probev1.ProbeServiceClient) {
	counting, err := probe.Count(ctx, &probev1.CountRequest{To: 3})
	must(err)
	var numbers []int32
	for {
		response, err := counting.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		must(err)
		numbers = append(numbers, response.Number)
	}
	say("stream", "numbers", numbers)
}

func talk(ctx context.Context, probe probev1.ProbeServiceClient) {
	talking, err := probe.Talk(ctx)
	must(err)
	var texts []string
	for _, text := range []string{"one", "two"} { // the second goes out when the first is answered
		must(talking.Send(&probev1.TalkRequest{Text: text}))
		response, err := talking.Recv()
		must(err)
		texts = append(texts, response.Text)
	}
	must(talking.CloseSend())
	_, err = talking.Recv()
	say("talk", "texts", texts, "ended", errors.Is(err, io.EOF))
}

func deadline(ctx context.Context, probe probev1.ProbeServiceClient) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err := probe.Hold(ctx, &probev1.HoldRequest{Milliseconds: 5000})
	say("deadline", "code", status.Code(err))
}

func declaredError(ctx context.Context, probe probev1.ProbeServiceClient) {
	_, err := probe.Take(ctx, &probev1.TakeRequest{Sku: "tea"})
	declared, found := client.DeclaredError[*probev1.OutOfStock](err)
	_, another := client.DeclaredError[*probev1.Sample](err)
	say("error", "code", status.Code(err), "found", found, "another", another, "sku", declared.GetSku(), "available", declared.GetAvailable())
}

func vectors(ctx context.Context, probe probev1.ProbeServiceClient) {
	var given []vector
	file, err := os.ReadFile(os.Getenv("PROBE_VECTORS"))
	must(err)
	must(json.Unmarshal(file, &given))
	var encoded, echoed []string
	var decoded []values
	for _, vector := range given {
		v := vector.Values
		sample := &probev1.Sample{
			Price:    &money.Money{CurrencyCode: v.Currency, Units: v.Units, Nanos: v.Nanos},
			Time:     &timestamppb.Timestamp{Seconds: v.Seconds, Nanos: v.Fraction},
			Mask:     &fieldmaskpb.FieldMask{Paths: v.Paths},
			Text:     v.Text,
			Signed:   v.Signed,
			Unsigned: v.Unsigned,
		}
		encoded = append(encoded, encode(sample))
		response, err := probe.Echo(ctx, &probev1.EchoRequest{Sample: sample})
		must(err)
		echoed = append(echoed, encode(response.Sample))

		bytes, err := hex.DecodeString(vector.Bytes)
		must(err)
		read := &probev1.Sample{}
		must(proto.Unmarshal(bytes, read))
		decoded = append(decoded, values{
			read.Price.CurrencyCode, read.Price.Units, read.Price.Nanos, read.Time.Seconds, read.Time.Nanos,
			append([]string{}, read.Mask.Paths...), read.Text, read.Signed, read.Unsigned,
		})
	}
	say("vectors", "encoded", encoded, "echoed", echoed, "decoded", decoded)
}

func encode(sample *probev1.Sample) string {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(sample)
	must(err)
	return hex.EncodeToString(bytes)
}

func say(step string, pairs ...any) {
	line := map[string]any{"step": step}
	for i := 0; i < len(pairs); i += 2 {
		line[pairs[i].(string)] = pairs[i+1]
	}
	must(json.NewEncoder(os.Stdout).Encode(line))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
