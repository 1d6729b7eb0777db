// Calls every method of ProbeService and prints what came of each as a line of JSON.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include "probe/v1/probe_service.grpc.pb.h"
#include "probe_client.h"

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;
using namespace probe::v1;

namespace {

Value text(const std::string& value) {
  Value json;
  json.set_string_value(value);
  return json;
}

Value number(double value) {
  Value json;
  json.set_number_value(value);
  return json;
}

Value truth(bool value) {
  Value json;
  json.set_bool_value(value);
  return json;
}

void say(const std::string& step, Struct line) {
  (*line.mutable_fields())["step"] = text(step);
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(line, &json).ok()) std::abort();
  std::cout << json << std::endl;
}

Struct fields(std::initializer_list<std::pair<std::string, Value>> pairs) {
  Struct line;
  for (const auto& [key, value] : pairs) (*line.mutable_fields())[key] = value;
  return line;
}

void must(const grpc::Status& status) {
  if (status.ok()) return;
  std::cerr << status.error_code() << " " << status.error_message() << std::endl;
  std::exit(1);
}

std::unique_ptr<grpc::ClientContext> authorized() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("authorization", std::string("Bearer ") + std::getenv("PROBE_TOKEN"));
  return context;
}

std::string trailer(const grpc::ClientContext& context, const std::string& key) {
  const auto found = context.GetServerTrailingMetadata().find(key);
  return found == context.GetServerTrailingMetadata().end() ? "" : std::string(found->second.data(), found->second.size());
}

std::string hex(const Sample& sample) {
  static const char* digits = "0123456789abcdef";
  std::string written;
  for (const unsigned char byte : sample.SerializeAsString()) {
    written += digits[byte >> 4];
    written += digits[byte & 15];
  }
  return written;
}

std::string unhex(const std::string& written) {
  std::string bytes;
  for (size_t at = 0; at < written.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(written.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

void unary(ProbeService::Stub& probe) {
  auto context = authorized();
  context->AddMetadata("x-probe", "ping");
  EchoRequest request;
  request.mutable_sample()->set_text("hello");
  EchoResponse response;
  must(probe.Echo(context.get(), request, &response));
  say("unary", fields({{"text", text(response.sample().text())},
                       {"answer", text(trailer(*context, "x-probe-answer"))},
                       {"user", text(trailer(*context, "x-probe-user"))}}));
}

void stream(ProbeService::Stub& probe) {
  auto context = authorized();
  CountRequest request;
  request.set_to(3);
  const auto counting = probe.Count(context.get(), request);
  Value numbers;
  for (CountResponse response; counting->Read(&response);) {
    *numbers.mutable_list_value()->add_values() = number(response.number());
  }
  must(counting->Finish());
  say("stream", fields({{"numbers", numbers}}));
}

void talk(ProbeService::Stub& probe) {
  auto context = authorized();
  const auto talking = probe.Talk(context.get());
  Value texts;
  TalkResponse response;
  for (const auto* question : {"one", "two"}) {  // the second goes out when the first is answered
    TalkRequest request;
    request.set_text(question);
    talking->Write(request);
    talking->Read(&response);
    *texts.mutable_list_value()->add_values() = text(response.text());
  }
  talking->WritesDone();
  const bool ended = !talking->Read(&response);
  must(talking->Finish());
  say("talk", fields({{"texts", texts}, {"ended", truth(ended)}}));
}

void failures(ProbeService::Stub& probe) {
  auto context = authorized();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  HoldRequest hold;
  hold.set_milliseconds(5000);
  HoldResponse held;
  say("deadline", fields({{"code", number(probe.Hold(context.get(), hold, &held).error_code())}}));

  context = authorized();
  TakeRequest take;
  take.set_sku("tea");
  TakeResponse taken;
  const auto status = probe.Take(context.get(), take, &taken);
  const auto declared = probe_client::declared_error<OutOfStock>(status);
  say("error", fields({{"code", number(status.error_code())},
                       {"found", truth(declared.has_value())},
                       {"another", truth(probe_client::declared_error<Sample>(status).has_value())},
                       {"sku", text(declared ? declared->sku() : "")},
                       {"available", number(declared ? declared->available() : 0)}}));

  grpc::ClientContext nobody;
  EchoRequest request;
  request.mutable_sample();
  EchoResponse response;
  say("without a token", fields({{"code", number(probe.Echo(&nobody, request, &response).error_code())}}));
}

void vectors(ProbeService::Stub& probe) {
  std::ifstream file(std::getenv("PROBE_VECTORS"));
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  ListValue given;
  if (!google::protobuf::util::JsonStringToMessage(json, &given).ok()) std::abort();
  Value encoded, echoed, decoded;
  for (const auto& vector : given.values()) {
    const auto& values = vector.struct_value().fields().at("values").struct_value().fields();
    Sample sample;
    sample.mutable_price()->set_currency_code(values.at("currency").string_value());
    sample.mutable_price()->set_units(std::stoll(values.at("units").string_value()));
    sample.mutable_price()->set_nanos(static_cast<int>(values.at("nanos").number_value()));
    sample.mutable_time()->set_seconds(std::stoll(values.at("seconds").string_value()));
    sample.mutable_time()->set_nanos(static_cast<int>(values.at("fraction").number_value()));
    sample.mutable_mask();
    for (const auto& path : values.at("paths").list_value().values()) sample.mutable_mask()->add_paths(path.string_value());
    sample.set_text(values.at("text").string_value());
    sample.set_signed_(std::stoll(values.at("signed").string_value()));
    sample.set_unsigned_(std::stoull(values.at("unsigned").string_value()));
    *encoded.mutable_list_value()->add_values() = text(hex(sample));

    auto context = authorized();
    EchoRequest request;
    *request.mutable_sample() = sample;
    EchoResponse response;
    must(probe.Echo(context.get(), request, &response));
    *echoed.mutable_list_value()->add_values() = text(hex(response.sample()));

    Sample read;
    if (!read.ParseFromString(unhex(vector.struct_value().fields().at("bytes").string_value()))) std::abort();
    Value paths;
    paths.mutable_list_value();
    for (const auto& path : read.mask().paths()) *paths.mutable_list_value()->add_values() = text(path);
    *decoded.mutable_list_value()->add_values()->mutable_struct_value() =
        fields({{"currency", text(read.price().currency_code())},
                {"units", text(std::to_string(read.price().units()))},
                {"nanos", number(read.price().nanos())},
                {"seconds", text(std::to_string(read.time().seconds()))},
                {"fraction", number(read.time().nanos())},
                {"paths", paths},
                {"text", text(read.text())},
                {"signed", text(std::to_string(read.signed_()))},
                {"unsigned", text(std::to_string(read.unsigned_()))}});
  }
  say("vectors", fields({{"encoded", encoded}, {"echoed", echoed}, {"decoded", decoded}}));
}

}  // namespace

int main() {
  const auto channel = grpc::CreateChannel(std::getenv("PROBE_ADDRESS"), grpc::InsecureChannelCredentials());
  const auto probe = ProbeService::NewStub(channel);
  unary(*probe);
  stream(*probe);
  talk(*probe);
  failures(*probe);
  const auto* echo = probe_client::method("probe.v1.ProbeService/Echo");
  say("table", fields({{"deadline", number(echo->deadline.count())},
                       {"repeatable", truth(echo->repeatable)},
                       {"user", truth(echo->audience == probe_client::Audience::kUser)}}));
  vectors(*probe);
}
