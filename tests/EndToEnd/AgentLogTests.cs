using System.Text.Json;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.V1;
using Grpc.Core;

namespace Decant.EndToEnd;

public class AgentLogTests
{
    private const string OfHost = "canary-of-the-hosts-env-file";
    private const string OfManifest = "canary-of-the-manifests-env";

    [Test]
    [CancelAfter(180_000)]
    public async Task Every_line_of_an_operation_says_what_it_belongs_to_and_no_line_and_no_error_has_a_value_of_an_environment(CancellationToken cancellation)
    {
        await using var agent = LoneAgent.Prepare("logging: { level: debug, format: json }");
        var apps = Directory.CreateDirectory(Path.Combine(agent.Host.Directory, "apps")).FullName;
        await File.WriteAllTextAsync(Path.Combine(apps, "demo.env"), $"DEMO_SECRET={OfHost}\n", cancellation);
        File.SetUnixFileMode(Path.Combine(apps, "demo.env"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await agent.Host.StartAgentAsync(cancellation);
        var (archive, release) = await agent.BuildAsync("1.0.0", cancellation);
        await agent.Client.StageAsync("demo", release, archive, cancellation);

        var spec = agent.Spec;
        spec.Env["DEMO_TOKEN"] = OfManifest;
        var failing = spec.Clone();
        failing.Env["DEMO_MISBEHAVE"] = "crash_at_boot";
        var reserved = spec.Clone();
        reserved.Env["PORT"] = OfManifest;
        reserved.Env["no name"] = OfManifest;
        reserved.Env["NUL"] = OfManifest + "\0";
        var errors = new List<OperatorError>();
        var instances = agent.Client.Instances;
        var check = new HealthCheck { Http = new HttpCheck { Path = "/health" } };
        OperationRef Next() => AgentClient.NewOperation(null, "d-42");
        await TryAsync(instances.Start(new StartRequest { Operation = Next(), App = "demo", Slot = "main", Release = release, Spec = reserved }, cancellationToken: cancellation));
        await TryAsync(instances.Preflight(new PreflightRequest { Operation = Next(), App = "demo", Slot = "main", Release = release, Spec = spec }, cancellationToken: cancellation));
        await TryAsync(instances.Migrate(new MigrateRequest { Operation = Next(), App = "demo", Slot = "main", Release = release, Spec = spec, Expression = "raise \"no\"" }, cancellationToken: cancellation));
        await TryAsync(instances.Start(new StartRequest { Operation = Next(), App = "demo", Slot = "main", Release = release, Spec = failing }, cancellationToken: cancellation));
        await TryAsync(instances.AwaitHealthy(new AwaitHealthyRequest { Operation = Next(), App = "demo", Slot = "main", Release = release, Health = check }, cancellationToken: cancellation));
        await TryAsync(instances.Stop(new StopRequest { Operation = Next(), App = "demo", Slot = "main" }, cancellationToken: cancellation));
        await TryAsync(instances.Start(new StartRequest { Operation = Next(), App = "demo", Slot = "main", Release = release, Spec = spec }, cancellationToken: cancellation));
        await TryAsync(instances.Start(new StartRequest { Operation = Next(), App = "demo", Slot = "main", Release = release, Spec = failing }, cancellationToken: cancellation));
        await TryAsync(instances.Evaluate(new EvaluateRequest { Operation = Next(), App = "demo", Slot = "main", Expression = "raise \"no\"" }, cancellationToken: cancellation));
        await agent.Host.Agent.SignalAsync("TERM");
        await agent.Host.Agent.WaitForExitAsync(cancellation);

        Assert.That(errors.Select(e => e.Reason), Is.SupersetOf(
            new[] { "BAD_REQUEST", "MIGRATION_FAILED", "INSTANCE_EXITED", "SLOT_OCCUPIED", "EVALUATION_FAILED" }));
        var shown = string.Join('\n', errors.Select(e => $"{e} {string.Join(' ', e.Facts)} {string.Join(' ', e.Fields)}"));
        Assert.That(shown, Does.Not.Contain(OfHost).And.Not.Contain(OfManifest));
        var log = agent.Host.Agent.Output;
        Assert.That(log, Does.Not.Contain(OfHost).And.Not.Contain(OfManifest));

        var lines = log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.That(lines.Select(l => l.GetProperty("Host").GetString()), Is.All.EqualTo("web1"));
        var starts = lines.Where(l => l.TryGetProperty("Kind", out var kind) && kind.GetString() == "Start").ToList();
        Assert.That(starts, Has.Count.GreaterThanOrEqualTo(6), "three begin and end");
        foreach (var line in starts)
        {
            Assert.That(
                (line.GetProperty("Deployment").GetString(), line.GetProperty("App").GetString(), line.GetProperty("Slot").GetString()),
                Is.EqualTo(("d-42", "demo", "main")));
        }

        async Task TryAsync(AsyncServerStreamingCall<OperationEvent> call)
        {
            try
            {
                await AgentClient.ResultAsync(call, cancellation);
            }
            catch (RpcException exception)
            {
                errors.Add(OperatorError.FromRpc(exception));
            }
        }
    }
}
