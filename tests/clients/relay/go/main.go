// RelayService, as docs/reference/service-protocol.md has it.
package main

import (
	"context"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	clockv1 "relay.mesh/client/clock/v1"
	relayv1 "relay.mesh/client/relay/v1"
)

func main() {
	egress, err := grpc.NewClient(os.Getenv("PROTOMESH_EGRESS"), grpc.WithAuthority("mesh"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(handOn))
	must(err)

	network, address := "tcp", os.Getenv("PROTOMESH_LISTEN")
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	listener, err := net.Listen(network, address)
	must(err)
	draining, ended := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer ended()
	server := grpc.NewServer(grpc.MaxHeaderListSize(96 << 10))
	relayv1.RegisterRelayServiceServer(server, &relay{clock: clockv1.NewClockServiceClient(egress), draining: draining})
	healthy := health.NewServer() // "", the whole, is SERVING from the start
	healthy.SetServingStatus(relayv1.RelayService_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthy)
	go func() {
		<-draining.Done()
		healthy.Shutdown()
		server.GracefulStop() // waits for the calls in progress; then Serve returns
	}()
	must(server.Serve(listener))
}

var handedOn = []string{
	"traceparent", "tracestate", "baggage", "x-request-id",
	"x-protomesh-subject", "x-protomesh-scopes", "x-protomesh-claims", "x-protomesh-token",
}

// handOn gives a call what the served one had; its deadline and cancellation are in ctx already.
func handOn(ctx context.Context, method string, request, reply any, egress *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	served, _ := metadata.FromIncomingContext(ctx)
	for _, key := range handedOn {
		for _, value := range served[key] {
			ctx = metadata.AppendToOutgoingContext(ctx, key, value)
		}
	}
	return invoke(ctx, method, request, reply, egress, options...)
}

// passedUp is what our caller is told when a callee fails.
func passedUp(ctx context.Context, err error) error {
	switch code := status.Code(err); code {
	case codes.Unavailable:
		grpc.SetTrailer(ctx, metadata.Pairs("x-envoy-ratelimited", "true")) // it was repeated already
		return status.Error(code, status.Convert(err).Message())
	case codes.DeadlineExceeded:
		return status.Error(code, status.Convert(err).Message())
	}
	log.Print(err)
	return status.Error(codes.Internal, "internal error")
}

type relay struct {
	relayv1.UnimplementedRelayServiceServer
	clock    clockv1.ClockServiceClient
	draining context.Context
}

func (r *relay) Ask(ctx context.Context, request *relayv1.AskRequest) (*relayv1.AskResponse, error) {
	if until := request.ClosedUntil; until != "" {
		return nil, failure(codes.FailedPrecondition, "closed until "+until, "relay.v1", "RELAY_CLOSED", &relayv1.RelayClosed{Until: until})
	}
	if err := wait(ctx, request.HoldMilliseconds); err != nil {
		return nil, err
	}
	read := request.Read
	if read == nil {
		read = &clockv1.ReadRequest{}
	}
	reading, err := r.clock.Read(ctx, read)
	if err != nil {
		return nil, passedUp(ctx, err)
	}
	served, _ := metadata.FromIncomingContext(ctx)
	return &relayv1.AskResponse{Reading: reading, Caller: strings.Join(served["x-protomesh-caller"], ",")}, nil
}

func (r *relay) Wait(ctx context.Context, request *relayv1.WaitRequest) (*relayv1.WaitResponse, error) {
	return &relayv1.WaitResponse{Pid: int32(os.Getpid())}, wait(ctx, request.Milliseconds)
}

func (r *relay) Count(_ *relayv1.CountRequest, stream relayv1.RelayService_CountServer) error {
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for number := int32(1); ; number++ {
		if err := stream.Send(&relayv1.CountResponse{Number: number}); err != nil {
			return err
		}
		select {
		case <-ticks.C:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-r.draining.Done():
			return failure(codes.Unavailable, "the worker ends; call again", "protomesh", "STREAM_DRAINED")
		}
	}
}

func wait(ctx context.Context, milliseconds int32) error {
	select {
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func failure(code codes.Code, message, domain, reason string, details ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Domain: domain, Reason: reason}
	said, err := status.New(code, message).WithDetails(append([]protoadapt.MessageV1{info}, details...)...)
	must(err)
	return said.Err()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
