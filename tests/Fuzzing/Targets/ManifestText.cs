using System.Text;
using Decant.Controller.Manifest;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary><c>decant.yml</c>: a manifest, or errors that name their places.</summary>
internal sealed class ManifestText : FuzzTarget
{
    private const string Full = """
        app: shop
        hosts:
          web1: { agent: 127.0.0.1:7421, port: 4001 }
          web2: { agent: web2.internal, slot: blue, node: shop@10.0.0.2, env: { POOL_SIZE: 10, DEBUG: true } }
          web3:
        balancers:
          edge: { agent: 127.0.0.1:7424, balancer: front, backend: shop_app, member: "app-{host}" }
          inner:
        slot: { name: main, port: 4005, node: "", distribution: true, env: { LANG: C.UTF-8 } }
        health: { http: { path: /health, status: 200, body: ok, host: shop.test }, interval: 2s, timeout: 3s, rise: 1, fall: 4 }
        migrations: { run: Shop.Release.migrate(), host: web2, timeout: 5m }
        strategy:
          type: rolling
          batch: 25%
          order: [web3, web1]
          min_healthy: 2s
          drain_timeout: 31s
          failure_budget: 1
          auto_rollback: false
        releases: { keep: 7 }

        """;

    private const string TwoSlots = """
        app: shop
        slots: { blue: { port: 4001 }, green: { port: 4002, node: "shop-{slot}@10.0.0.2" } }
        hosts: { web1: { agent: "unix:/run/decant/decantd.sock", address: "::1" }, web2: { agent: "[::1]:7420" } }
        strategy:
          type: canary
          canary: { hosts: [web1], weight: 10%, watch: 5m }
          window: { from: "22:00", to: "04:00", days: [mon, tue], zone: UTC }
          long_lived: { close_after: 5s, spread: 10s }
        """;

    public override IEnumerable<byte[]> Seeds => Bytes(Full, TwoSlots, "app: shop\nhosts:\n  web1:\n", "", "---\n...\n---\n", "? [a]\n: b\n", "a: &x [*x]\n");

    public override IReadOnlyList<byte[]> Words => Bytes(
        ": ", "- ", "\n  ", "\t", "{", "}", "[", "]", "&a ", "*a", "!!x ", "'", "\"", "|\n", ">-\n", "# ", "---\n", "...\n", "%YAML 1.1\n", "? ", ", ", "<<: ", "\\", "\0", "\uFEFF", "null", "~", "app", "hosts", "web1",
        "agent", "balancers", "slots", "blue", "green", "strategy", "type", "canary", "rolling", "blue-green", "recreate", "window", "order", "health", "http", "tcp", "rpc", "migrations", "run", "releases", "keep", "env",
        "25%", "10s", "5m", "{host}", "{slot}", "shop@10.0.0.2", "127.0.0.1:7421", "unix:/a", "[::1]:1", "true", "1e9");

    public override int Largest => 128 << 10;

    public override long MayAllocate(int length) => (4 << 20) + (4000L * length);

    public override string Run(byte[] input)
    {
        switch (ManifestReader.Read(Encoding.UTF8.GetString(input)))
        {
            case ManifestResult.Valid valid:
                Promise(valid.Manifest.Hosts.Count > 0, "a manifest has no hosts");
                return "valid";
            case ManifestResult.Invalid invalid:
                Promise(invalid.Errors.Count is > 0 and < 200, "there is no error, or no end of them");
                foreach (var error in invalid.Errors)
                {
                    Promise(error is { Line: >= 1, Column: >= 1, Reason.Length: > 0 } or { Line: 0, Column: 0 }, "an error has no place");
                    Readable(error.Describe("decant.yml"));
                }

                return invalid.Errors[0].Reason;
            default:
                throw new BrokenPromiseException("neither valid nor invalid");
        }
    }
}
