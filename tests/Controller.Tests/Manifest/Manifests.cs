using Decant.Controller.Manifest;

namespace Decant.Controller.Tests.Manifest;

/// <summary>Manifests to read and to spoil.</summary>
internal static class Manifests
{
    public const string Full = """
        app: shop
        hosts:
          web1: { agent: 127.0.0.1:7421, port: 4001 }
          web2: { agent: web2.internal, slot: blue, node: shop@10.0.0.2, env: { POOL_SIZE: 10, DEBUG: true } }
          web3:
        balancers:
          edge: { agent: 127.0.0.1:7424, balancer: front, backend: shop_app, member: "app-{host}" }
          inner:
        slot: { name: main, port: 4005, node: "", distribution: true, env: { LANG: C.UTF-8, POOL_SIZE: 5 } }
        health: { http: { path: /health, status: 200, body: ok, host: shop.test }, interval: 2s, start_interval: 50ms, timeout: 3s, rise: 1, fall: 4 }
        migrations: { run: Shop.Release.migrate(), host: web2, timeout: 5m }
        strategy:
          type: rolling
          batch: 25%
          min_healthy: 2s
          healthy_deadline: 90s
          drain_timeout: 31s
          stop_timeout: 32s
          term_timeout: 6s
          undrain_timeout: 33s
          failure_budget: 1
          auto_rollback: false
        releases: { keep: 7 }
        """;

    public const string Smallest = "app: shop\nhosts:\n  web1:\n";

    public static DeploymentManifest Read(string text) => ManifestReader.Read(text) switch
    {
        ManifestResult.Valid valid => valid.Manifest,
        ManifestResult.Invalid invalid => throw new AssertionException(string.Join('\n', invalid.Errors.Select(e => e.Describe("decant.yml")))),
        _ => throw new AssertionException("neither valid nor invalid"),
    };

    public static IReadOnlyList<string> ErrorsOf(string text)
        => ManifestReader.Read(text) is ManifestResult.Invalid invalid ? [.. invalid.Errors.Select(e => e.Describe("decant.yml"))] : [];
}
