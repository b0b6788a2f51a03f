package suggest_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
	"github.com/slowburn-sre/slowburn/internal/ranking"
	"github.com/slowburn-sre/slowburn/internal/signals"
	"github.com/slowburn-sre/slowburn/internal/suggest"
	"github.com/slowburn-sre/slowburn/slo/file"
)

// sourceCase is a server that has one source, and what must come of it.
type sourceCase struct {
	name             string
	counters, gauges map[string]float64 // by series: growth per second, and value
	service, from    string
	want             []string // in the YAML
	avoid            []string // not in the YAML, comments left out
	traffic, errors  float64  // of the snapshot; NaN for unknown
	latency          float64  // upper end of what the snapshot may say, in seconds; NaN for unknown
	saturation       map[string]float64
}

var unknown = math.NaN()

var sourceCases = []sourceCase{
	{
		name: "Go client: the code has its own spelling, and /metrics is nobody's request",
		counters: map[string]float64{
			`http_requests_total{job="api",status_code="200"}`:                             99,
			`http_requests_total{job="api",status_code="503"}`:                             0.03,
			`promhttp_metric_handler_requests_total{job="api",code="200"}`:                 1,
			`http_request_duration_seconds_bucket{job="api",le="0.1"}`:                     99,
			`http_request_duration_seconds_bucket{job="api",le="1"}`:                       99.9,
			`http_request_duration_seconds_bucket{job="api",le="+Inf"}`:                    100,
			`http_request_duration_seconds_count{job="api"}`:                               100,
			`http_requests_total{job="idle",status_code="200"}`:                            0,
			`promhttp_metric_handler_requests_total{job="only-metrics-endpoint",code="1"}`: 5,
		},
		service: "api", from: "go-http",
		want:    []string{`bad: 'http_requests_total{job="api",status_code=~"5.."}'`, "objective: 99.95", "below: 100ms"},
		avoid:   []string{"promhttp_metric", `code=~"5..",job`, "idle", "only-metrics"},
		traffic: 99.03, errors: 0.03 / 99.03, latency: 0.1,
	},
	{
		name: "OTel HTTP: a request without an answer has no status, only an error type",
		counters: map[string]float64{
			`http_server_request_duration_seconds_count{job="web",http_response_status_code="200"}`:                  100,
			`http_server_request_duration_seconds_count{job="web",http_response_status_code="404"}`:                  10,
			`http_server_request_duration_seconds_count{job="web",http_response_status_code="500",error_type="500"}`: 0.2,
			`http_server_request_duration_seconds_count{job="web",error_type="timeout"}`:                             0.2,
			`http_server_request_duration_seconds_bucket{job="web",http_response_status_code="200",le="0.25"}`:       110,
			`http_server_request_duration_seconds_bucket{job="web",http_response_status_code="200",le="+Inf"}`:       110.4,
			`http_server_duration_milliseconds_count{job="web",http_status_code="200"}`:                              110,
			`http_server_duration_milliseconds_bucket{job="web",http_status_code="200",le="+Inf"}`:                   110,
		},
		service: "web", from: "otel-http",
		want: []string{
			`total: 'http_server_request_duration_seconds_count{job="web"}'`,
			`good: 'http_server_request_duration_seconds_count{error_type="",http_response_status_code!~"5..",job="web"}'`, "objective: 99.5", "below: 250ms",
		},
		avoid:   []string{"http_server_duration_milliseconds"},
		traffic: 110.4, errors: 0.4 / 110.4, latency: 0.25,
	},
	{
		name: "OTel HTTP with UTF-8 names",
		counters: map[string]float64{
			`{"http.server.request.duration_count",job="web","http.response.status_code"="200"}`: 100,
			`{"http.server.request.duration_count",job="web","http.response.status_code"="500"}`: 0.05,
		},
		service: "web", from: "otel-http",
		want:    []string{`"http.response.status_code"=~"5.."`, "objective: 99.9"},
		traffic: 100.05, errors: 0.05 / 100.05, latency: unknown,
	},
	{
		name: "gRPC: the caller's mistakes are no errors, streams are no latency",
		counters: map[string]float64{
			`grpc_server_handled_total{job="pay",grpc_code="OK",grpc_type="unary"}`:              10,
			`grpc_server_handled_total{job="pay",grpc_code="InvalidArgument",grpc_type="unary"}`: 5,
			`grpc_server_handled_total{job="pay",grpc_code="Unavailable",grpc_type="unary"}`:     0.01,
			`grpc_server_handling_seconds_bucket{job="pay",grpc_type="unary",le="0.1"}`:          15,
			`grpc_server_handling_seconds_bucket{job="pay",grpc_type="unary",le="+Inf"}`:         15.01,
			`grpc_server_handling_seconds_bucket{job="pay",grpc_type="server_stream",le="0.1"}`:  0,
			`grpc_server_handling_seconds_bucket{job="pay",grpc_type="server_stream",le="+Inf"}`: 10,
		},
		service: "pay", from: "grpc",
		want:    []string{`grpc_code=~"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss"`, `grpc_server_handling_seconds{grpc_type="unary",job="pay"}`},
		traffic: 15.01, errors: 0.01 / 15.01, latency: 0.1,
	},
	{
		name: "otelgrpc: of the new and the old metric one is counted",
		counters: map[string]float64{
			`rpc_server_call_duration_seconds_count{job="pay",rpc_response_status_code="OK"}`:       10,
			`rpc_server_call_duration_seconds_count{job="pay",rpc_response_status_code="INTERNAL"}`: 0.001,
			`rpc_server_duration_milliseconds_count{job="pay",rpc_grpc_status_code="0"}`:            10,
		},
		service: "pay", from: "otel-rpc",
		want:    []string{`rpc_server_call_duration_seconds_count{job="pay",rpc_response_status_code=~"UNKNOWN|`},
		avoid:   []string{"rpc_server_duration_milliseconds"},
		traffic: 10.001, errors: 0.001 / 10.001, latency: unknown,
	},
	{
		name: "otelgrpc, old: codes are numbers, times are milliseconds",
		counters: map[string]float64{
			`rpc_server_duration_milliseconds_count{job="pay",rpc_grpc_status_code="0"}`:  10,
			`rpc_server_duration_milliseconds_count{job="pay",rpc_grpc_status_code="13"}`: 0.001,
			`rpc_server_duration_milliseconds_bucket{job="pay",le="250"}`:                 10,
			`rpc_server_duration_milliseconds_bucket{job="pay",le="+Inf"}`:                10.001,
		},
		service: "pay", from: "otel-rpc",
		want:    []string{`rpc_grpc_status_code=~"2|4|12|13|14|15"`, "below: 250ms"},
		traffic: 10.001, errors: 0.001 / 10.001, latency: 0.25,
	},
	{
		name: "ingress-nginx: the service and its namespace are in exported labels, the upstream's time counts",
		counters: map[string]float64{
			`nginx_ingress_controller_requests{job="ingress",namespace="ingress",exported_namespace="shop",exported_service="cart",status="200"}`:                      50,
			`nginx_ingress_controller_requests{job="ingress",namespace="ingress",exported_namespace="shop",exported_service="cart",status="502"}`:                      0.01,
			`nginx_ingress_controller_response_duration_seconds_bucket{job="ingress",namespace="ingress",exported_namespace="shop",exported_service="cart",le="0.5"}`:  50,
			`nginx_ingress_controller_response_duration_seconds_bucket{job="ingress",namespace="ingress",exported_namespace="shop",exported_service="cart",le="+Inf"}`: 50.01,
			`nginx_ingress_controller_request_duration_seconds_bucket{job="ingress",namespace="ingress",exported_namespace="shop",exported_service="cart",le="+Inf"}`:  50.01,
		},
		service: "cart", from: "ingress-nginx",
		want:    []string{`match: '{exported_namespace="shop",exported_service="cart"}'`, "nginx_ingress_controller_response_duration_seconds{"},
		avoid:   []string{"request_duration", `,namespace=`},
		traffic: 50.01, errors: 0.01 / 50.01, latency: 0.5,
	},
	{
		name:     "nginx: stub_status knows no codes, so there is traffic and no error ratio",
		counters: map[string]float64{`nginx_http_requests_total{job="nginx"}`: 7},
		gauges:   map[string]float64{`nginx_up{job="nginx"}`: 1, `nginx_connections_waiting{job="nginx"}`: 3},
		service:  "nginx", from: "nginx",
		want:  []string{`uptime: 'nginx_up{job="nginx"}'`, "nginx-prometheus-exporter (stub_status) has no metric for errors"},
		avoid: []string{"events:"}, traffic: 7, errors: unknown, latency: unknown,
		saturation: map[string]float64{"waiting connections": 3},
	},
	{
		name: "Envoy: times are milliseconds though the name does not say so, and upstream counts retries",
		counters: map[string]float64{
			`envoy_http_downstream_rq_xx{job="envoy",envoy_http_conn_manager_prefix="front",envoy_response_code_class="2"}`: 100,
			`envoy_http_downstream_rq_xx{job="envoy",envoy_http_conn_manager_prefix="front",envoy_response_code_class="5"}`: 0.05,
			`envoy_cluster_upstream_rq_xx{job="envoy",envoy_cluster_name="back",envoy_response_code_class="5"}`:             70,
			`envoy_http_downstream_rq_time_bucket{job="envoy",envoy_http_conn_manager_prefix="front",le="250"}`:             100,
			`envoy_http_downstream_rq_time_bucket{job="envoy",envoy_http_conn_manager_prefix="front",le="+Inf"}`:            100.05,
		},
		service: "front", from: "envoy",
		want:    []string{`sum(increase(envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="front",envoy_response_code_class="5",job="envoy"}[$window]))`, "It is in the unit of the buckets.", "Requests are answered within 250ms."},
		avoid:   []string{"upstream"},
		traffic: 100.05, errors: 0.05 / 100.05, latency: 0.25,
	},
	{
		name: "Istio: one reporter, and gRPC errors that carry the code 200",
		counters: map[string]float64{
			`istio_requests_total{reporter="source",destination_service_name="cart",destination_service_namespace="shop",response_code="200",grpc_response_status="0"}`:      100,
			`istio_requests_total{reporter="source",destination_service_name="cart",destination_service_namespace="shop",response_code="200",grpc_response_status="14"}`:     0.02,
			`istio_requests_total{reporter="source",destination_service_name="cart",destination_service_namespace="shop",response_code="0"}`:                                 0.02,
			`istio_requests_total{reporter="destination",destination_service_name="cart",destination_service_namespace="shop",response_code="200",grpc_response_status="0"}`: 100,
			`istio_request_duration_milliseconds_bucket{reporter="source",destination_service_name="cart",destination_service_namespace="shop",le="100"}`:                    100,
			`istio_request_duration_milliseconds_bucket{reporter="source",destination_service_name="cart",destination_service_namespace="shop",le="+Inf"}`:                   100.04,
			`istio_request_duration_milliseconds_bucket{reporter="destination",destination_service_name="cart",destination_service_namespace="shop",le="+Inf"}`:              100,
		},
		service: "cart", from: "istio",
		want: []string{
			`total: 'istio_requests_total{destination_service_name="cart",destination_service_namespace="shop",reporter="source"}'`,
			`good: 'istio_requests_total{destination_service_name="cart",destination_service_namespace="shop",grpc_response_status!~"2|4|12|13|14|15",reporter="source",response_code!~"5..|0"}'`, "objective: 99.95", "below: 100ms",
		},
		traffic: 100.04, errors: 0.04 / 100.04, latency: 0.1,
	},
	{
		name: "Traefik: services, not entrypoints with their 404 of unknown hosts",
		counters: map[string]float64{
			`traefik_service_requests_total{job="traefik",service="cart@docker",code="200"}`: 20,
			`traefik_service_requests_total{job="traefik",service="cart@docker",code="500"}`: 0.001,
			`traefik_entrypoint_requests_total{job="traefik",entrypoint="web",code="404"}`:   90,
		},
		service: "cart-docker", from: "traefik",
		want:    []string{`service="cart@docker"`},
		avoid:   []string{"entrypoint"},
		traffic: 20.001, errors: 0.001 / 20.001, latency: unknown,
	},
	{
		name: "Spring: actuator requests are no users, and outcome tells errors",
		counters: map[string]float64{
			`http_server_requests_seconds_count{job="spring",application="cart",uri="/pay",status="200",outcome="SUCCESS"}`:             20,
			`http_server_requests_seconds_count{job="spring",application="cart",uri="/pay",status="500",outcome="SERVER_ERROR"}`:        0.01,
			`http_server_requests_seconds_count{job="spring",application="cart",uri="/actuator/health",status="200",outcome="SUCCESS"}`: 5,
		},
		gauges: map[string]float64{
			`http_server_requests_seconds_max{job="spring",application="cart",uri="/pay"}`: 3,
			`tomcat_threads_busy_threads{job="spring",application="cart"}`:                 20, `tomcat_threads_config_max_threads{job="spring",application="cart"}`: 200,
		},
		service: "cart", from: "spring",
		want:    []string{`uri!~"/actuator.*"`, `outcome="SERVER_ERROR"`},
		avoid:   []string{"seconds_max", "latency:"},
		traffic: 20.01, errors: 0.01 / 20.01, latency: unknown,
		saturation: map[string]float64{"tomcat threads": 0.1},
	},
	{
		name:    "blackbox: a probe is a promise of its own",
		gauges:  map[string]float64{`probe_success{job="site",instance="https://a.example"}`: 1, `probe_duration_seconds{job="site",instance="https://a.example"}`: 0.2},
		service: "site", from: "blackbox",
		want: []string{`uptime: 'probe_success{job="site"}'`, "objective: 99.95"}, traffic: unknown, errors: unknown, latency: 0.2,
	},
	{
		name:     "node: a node is not a service",
		counters: map[string]float64{`node_network_receive_packets_total{job="node",device="eth0"}`: 100, `node_network_receive_errs_total{job="node",device="eth0"}`: 1},
		gauges: map[string]float64{
			`node_memory_MemAvailable_bytes{job="node"}`: 25, `node_memory_MemTotal_bytes{job="node"}`: 100, `node_load1{job="node"}`: 77,
		},
		service: "node", from: "",
		want: []string{"# node: there is no SLO to propose."}, traffic: 100, errors: 0.01, latency: unknown,
		saturation: map[string]float64{"memory": 0.75},
	},
	{
		name: "cAdvisor: a container is matched to the service of its name, pause containers are left out",
		counters: map[string]float64{
			`http_requests_total{job="cart",code="200"}`:                                                              5,
			`container_cpu_cfs_periods_total{job="kubelet",namespace="shop",pod="cart-1",container="cart"}`:           10,
			`container_cpu_cfs_throttled_periods_total{job="kubelet",namespace="shop",pod="cart-1",container="cart"}`: 1,
			`container_cpu_cfs_periods_total{job="kubelet",namespace="shop",pod="cart-1",container=""}`:               10,
		},
		gauges: map[string]float64{
			`container_memory_working_set_bytes{job="kubelet",namespace="shop",pod="cart-1",container="cart"}`:               50,
			`container_memory_working_set_bytes{job="kubelet",namespace="shop",pod="cart-1",container="POD"}`:                5000,
			`kube_pod_container_resource_limits{job="ksm",namespace="shop",pod="cart-1",container="cart",resource="memory"}`: 100,
		},
		service: "cart", from: "go-http",
		want:    []string{"name: cpu throttling", "limit: 0.25", "name: container memory", `container="cart"`},
		traffic: 5, errors: 0, latency: unknown,
		saturation: map[string]float64{"cpu throttling": 0.1, "container memory": 0.5},
	},
	{
		name: "PostgreSQL: rollbacks make tickets",
		counters: map[string]float64{
			`pg_stat_database_xact_commit{job="pg",datname="a"}`: 99, `pg_stat_database_xact_rollback{job="pg",datname="a"}`: 0.3,
		},
		gauges:  map[string]float64{`pg_up{job="pg"}`: 1, `pg_stat_activity_count{job="pg",datname="a"}`: 30, `pg_settings_max_connections{job="pg"}`: 100},
		service: "pg", from: "postgresql",
		want:    []string{`uptime: 'pg_up{job="pg"}'`, "page: off", `sum(increase(pg_stat_database_xact_commit{job="pg"}[$window])) + sum(increase(pg_stat_database_xact_rollback{job="pg"}[$window]))`},
		traffic: 99.3, errors: 0.3 / 99.3, latency: unknown,
		saturation: map[string]float64{"connections": 0.3},
	},
	{
		name: "Redis: no limit is not a full memory, and microseconds are microseconds",
		counters: map[string]float64{
			`redis_commands_processed_total{job="redis"}`: 1000, `redis_commands_failed_calls_total{job="redis",cmd="get"}`: 0.1,
			`redis_commands_latencies_usec_bucket{job="redis",cmd="get",le="1000"}`: 1000, `redis_commands_latencies_usec_bucket{job="redis",cmd="get",le="+Inf"}`: 1000,
		},
		gauges: map[string]float64{
			`redis_up{job="redis"}`: 1, `redis_memory_used_bytes{job="redis"}`: 5e9, `redis_memory_max_bytes{job="redis"}`: 0,
			`redis_connected_clients{job="redis"}`: 10, `redis_max_clients{job="redis"}`: 10000,
		},
		service: "redis", from: "redis",
		want: []string{`uptime: 'redis_up{job="redis"}'`, "page: off"}, traffic: 1000, errors: 0.0001, latency: 0.001,
		saturation: map[string]float64{"memory": unknown, "clients": 0.001},
	},
	{
		name: "Prometheus itself: its scrape and its probes are nobody's requests",
		counters: map[string]float64{
			`prometheus_http_requests_total{job="prometheus",handler="/api/v1/query",code="200"}`:                 10,
			`prometheus_http_requests_total{job="prometheus",handler="/api/v1/query",code="503"}`:                 0.003,
			`prometheus_http_requests_total{job="prometheus",handler="/metrics",code="200"}`:                      90,
			`prometheus_http_requests_total{job="prometheus",handler="/-/ready",code="503"}`:                      90,
			`prometheus_http_request_duration_seconds_bucket{job="prometheus",handler="/api/v1/query",le="0.1"}`:  10.003,
			`prometheus_http_request_duration_seconds_bucket{job="prometheus",handler="/api/v1/query",le="+Inf"}`: 10.003,
			`prometheus_http_request_duration_seconds_count{job="prometheus",handler="/api/v1/query"}`:            10.003,
		},
		service: "prometheus", from: "prometheus",
		want: []string{
			`total: 'prometheus_http_requests_total{handler!~"/metrics|/-/healthy|/-/ready",job="prometheus"}'`, "objective: 99.95", "below: 100ms",
		},
		traffic: 10.003, errors: 0.003 / 10.003, latency: 0.1,
	},
	{
		name: "Alertmanager: what did not reach its receiver",
		counters: map[string]float64{
			`alertmanager_notifications_total{job="am",integration="slack"}`: 1, `alertmanager_notifications_failed_total{job="am",integration="slack",reason="other"}`: 0.001,
		},
		service: "am", from: "alertmanager", want: []string{`alertmanager_notifications_failed_total{job="am"}`}, traffic: 1, errors: 0.001, latency: unknown,
	},
	{
		name: "Kubernetes' API server: a watch is not slow",
		counters: map[string]float64{
			`apiserver_request_total{job="apiserver",verb="GET",code="200"}`: 50, `apiserver_request_total{job="apiserver",verb="GET",code="500"}`: 0.01,
			`apiserver_request_total{job="apiserver",verb="WATCH",code="500"}`:                      5,
			`apiserver_request_sli_duration_seconds_bucket{job="apiserver",verb="GET",le="0.1"}`:    50.01,
			`apiserver_request_sli_duration_seconds_bucket{job="apiserver",verb="GET",le="+Inf"}`:   50.01,
			`apiserver_request_sli_duration_seconds_count{job="apiserver",verb="GET"}`:              50.01,
			`apiserver_request_sli_duration_seconds_bucket{job="apiserver",verb="WATCH",le="0.1"}`:  0,
			`apiserver_request_sli_duration_seconds_bucket{job="apiserver",verb="WATCH",le="+Inf"}`: 5,
			`apiserver_request_sli_duration_seconds_count{job="apiserver",verb="WATCH"}`:            5,
		},
		service: "apiserver", from: "kube-apiserver", want: []string{`verb!~"WATCH|CONNECT|WATCHLIST"`, "below: 100ms"}, traffic: 50.01, errors: 0.01 / 50.01, latency: 0.1,
	},
	{
		name: "HAProxy: the backend is the service",
		counters: map[string]float64{
			`haproxy_backend_http_responses_total{job="haproxy",proxy="cart",code="2xx"}`: 50, `haproxy_backend_http_responses_total{job="haproxy",proxy="cart",code="5xx"}`: 0.01,
		},
		gauges:  map[string]float64{`haproxy_backend_response_time_average_seconds{job="haproxy",proxy="cart"}`: 0.02},
		service: "cart", from: "haproxy", want: []string{`bad: 'haproxy_backend_http_responses_total{code="5xx",proxy="cart"}'`}, traffic: 50.01, errors: 0.01 / 50.01, latency: 0.02,
	},
	{
		name:     "MySQL: it is up, and counts no failures",
		counters: map[string]float64{`mysql_global_status_questions{job="db"}`: 100},
		gauges:   map[string]float64{`mysql_up{job="db"}`: 1, `mysql_global_status_threads_connected{job="db"}`: 20, `mysql_global_variables_max_connections{job="db"}`: 100},
		service:  "db", from: "mysql", want: []string{`uptime: 'mysql_up{job="db"}'`}, traffic: 100, errors: unknown, latency: unknown,
		saturation: map[string]float64{"connections": 0.2},
	},
	{
		name: "Kafka: lag as time, and a dead group has none",
		counters: map[string]float64{
			`kafka_topic_partition_current_offset{job="kafka",topic="a",partition="0"}`:                    10,
			`kafka_consumergroup_current_offset{job="kafka",consumergroup="g",topic="a",partition="0"}`:    10,
			`kafka_consumergroup_current_offset{job="kafka",consumergroup="dead",topic="a",partition="0"}`: 0,
		},
		gauges: map[string]float64{
			`kafka_consumergroup_lag{job="kafka",consumergroup="g",topic="a",partition="0"}`:    50,
			`kafka_consumergroup_lag{job="kafka",consumergroup="dead",topic="a",partition="0"}`: 9e9,
		},
		service: "kafka", from: "", want: []string{"there is no SLO to propose"}, traffic: 10, errors: unknown, latency: 5,
	},
	{
		name:     "JVM: what is left after a collection, not the sawtooth",
		counters: map[string]float64{`http_requests_total{job="jvm",code="200"}`: 5, `jvm_gc_pause_seconds_sum{job="jvm",action="end of minor GC"}`: 0.02},
		gauges: map[string]float64{
			`jvm_memory_used_bytes{job="jvm",area="heap"}`: 99, `jvm_memory_max_bytes{job="jvm",area="heap"}`: 100,
			`jvm_memory_pool_collection_used_bytes{job="jvm",pool="old"}`: 40, `jvm_memory_pool_collection_max_bytes{job="jvm",pool="old"}`: 100,
		},
		service: "jvm", from: "go-http",
		want: []string{"name: heap after collection", "name: share of time in collection pauses"}, avoid: []string{"jvm_memory_used_bytes"},
		traffic: 5, errors: 0, latency: unknown,
		saturation: map[string]float64{"heap after collection": 0.4, "share of time in collection pauses": 0.02},
	},
	{
		name:     "Go runtime: descriptors have a limit, goroutines have none",
		counters: map[string]float64{`http_requests_total{job="go",code="200"}`: 5},
		gauges:   map[string]float64{`process_open_fds{job="go"}`: 102.4, `process_max_fds{job="go"}`: 1024, `go_goroutines{job="go"}`: 500},
		service:  "go", from: "go-http", want: []string{"name: file descriptors"}, avoid: []string{"goroutines"},
		traffic: 5, errors: 0, latency: unknown, saturation: map[string]float64{"file descriptors": 0.1},
	},
	{
		name:     "jobs: results in words, and the age of the oldest",
		counters: map[string]float64{`jobs_processed_total{job="worker",result="ok"}`: 5, `jobs_processed_total{job="worker",result="failed"}`: 0.001},
		gauges:   map[string]float64{`queue_oldest_seconds{job="worker"}`: 2},
		service:  "worker", from: "jobs", want: []string{"name: success", "name: freshness", "good: '< 30'"},
		traffic: 5.001, errors: 0.001 / 5.001, latency: unknown,
	},
}

func (tc sourceCase) db(t *testing.T) *promfake.DB {
	db := newDB()
	const length = 29 * 24 * time.Hour
	plant(t, db, 4*time.Minute, length, tc.counters)
	stand(t, db, 4*time.Minute, length, tc.gauges)
	return db
}

func TestEverySourceIsRead(t *testing.T) {
	for _, tc := range sourceCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := tc.db(t)
			list := propose(t, db, suggest.Options{})
			var found *suggest.Proposal
			for i := range list {
				if list[i].Service.Name == tc.service {
					found = &list[i]
				}
			}
			if found == nil {
				t.Fatalf("the service %s was not found in %v", tc.service, list)
			}
			tc.checkFile(t, list, string(found.YAML()))
			tc.checkSnapshot(t, db, *found)
		})
	}
}

func (tc sourceCase) checkFile(t *testing.T, list []suggest.Proposal, text string) {
	t.Helper()
	for _, want := range tc.want {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	var all strings.Builder
	for _, p := range list {
		for line := range strings.Lines(string(p.YAML())) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				all.WriteString(line)
			}
		}
	}
	for _, avoid := range tc.avoid {
		if strings.Contains(all.String(), avoid) {
			t.Errorf("%s in\n%s", avoid, all.String())
		}
	}
	if tc.from != "" && !strings.Contains(text, "from: "+tc.from+"\n") {
		t.Errorf("not from %s:\n%s", tc.from, text)
	}
	if tc.from == "" {
		return
	}
	set, err := file.Load(files(list))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, w := range set.Warnings {
		t.Errorf("%v\n%s", w, text)
	}
}

func (tc sourceCase) checkSnapshot(t *testing.T, db *promfake.DB, p suggest.Proposal) {
	t.Helper()
	// The samples are four minutes apart.
	s := signals.Take(context.Background(), serve(t, db), p.Service, live, signals.SnapshotOptions{Window: 20 * time.Minute, Timeout: time.Minute})
	near(t, "traffic", s.Traffic.Now, tc.traffic)
	near(t, "errors", s.Errors.Now, tc.errors)
	switch {
	case math.IsNaN(tc.latency) == s.Latency.Now.Known:
		t.Errorf("latency is %+v, want %v", s.Latency, tc.latency)
	case s.Latency.Now.Known && (s.Latency.Now.Value <= 0 || s.Latency.Now.Value > tc.latency*1.001):
		t.Errorf("latency is %v, want at most %v", s.Latency.Now.Value, tc.latency)
	}
	got := map[string]ranking.Reading{}
	for _, m := range s.Saturation {
		got[m.Name] = m.Now
	}
	for name, want := range tc.saturation {
		near(t, name, got[name], want)
	}
}

func near(t *testing.T, name string, got ranking.Reading, want float64) {
	t.Helper()
	if math.IsNaN(want) == got.Known || got.Known && math.Abs(got.Value-want) > 1e-6+1e-6*want {
		t.Errorf("%s is %+v, want %v", name, got, want)
	}
	if !got.Known && got.Reason == "" {
		t.Errorf("%s is unknown without a reason", name)
	}
}
