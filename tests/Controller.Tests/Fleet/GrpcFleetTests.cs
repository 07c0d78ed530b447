using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Tests.Fleet;

public class GrpcFleetTests
{
    private static readonly AppName App = AppName.Parse("shop");
    private static readonly OperationId Operation = OperationId.Parse("d/1/web1/step");
    private static readonly DeploymentId Deployment = DeploymentId.Parse("d");
    private readonly AgentChannels channels = new(TimeProvider.System, new CallTimings(), NoIdentity.Here);

    [OneTimeTearDown]
    public void Close() => channels.Dispose();

    [Test, CancelAfter(20_000)]
    public async Task An_upload_that_breaks_off_goes_on_from_where_the_agent_got_to(CancellationToken cancellation)
    {
        await using var agent = new ScriptedAgent { BreakUploadAfter = 500_000 };
        await agent.StartAsync();
        var content = new byte[2_000_000];
        new Random(7).NextBytes(content);
        await File.WriteAllBytesAsync(agent.FilePath("shop.tar.gz"), content, cancellation);
        var archive = new ArchiveFile(agent.FilePath("shop.tar.gz"), content.Length, "shop", Release, "14.0", true);
        var fleet = new GrpcFleet(channels, archive);
        var step = new StageStep(Host(agent), App, Release);
        var sent = new List<long>();

        var broken = await fleet.RunAsync(step, Operation, Deployment, _ => { }, cancellation);
        var done = await fleet.RunAsync(
            step, Operation, Deployment, p => sent.Add(((StepProgress.Upload)p).Sent), cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(broken, Is.TypeOf<StepOutcome.Unknown>());
            Assert.That(done, Is.EqualTo(new StepOutcome.Succeeded("3 files, 0 MB")));
            Assert.That(agent.Offsets, Has.Count.EqualTo(2));
            Assert.That(agent.Offsets[1], Is.GreaterThanOrEqualTo(500_000).And.LessThan(content.Length));
            Assert.That(sent, Is.Ordered.And.Some.EqualTo(agent.Offsets[1]).And.Some.EqualTo(content.Length));
            Assert.That(agent.Received.ToArray(), Is.EqualTo(content));
        });
    }

    [Test, CancelAfter(20_000)]
    public async Task A_stream_that_breaks_is_unknown_and_what_was_reported_is_not_reported_twice(CancellationToken cancellation)
    {
        await using var agent = new ScriptedAgent();
        var calls = 0;
        agent.OnStop = async (stream, context) =>
        {
            await stream.WriteAsync(new OperationEvent { Sequence = 1, Message = "first" });
            if (calls++ == 0)
            {
                context.GetHttpContext().Abort();
                return;
            }

            await stream.WriteAsync(new OperationEvent { Sequence = 2, Message = "second" });
            await stream.WriteAsync(ScriptedAgent.Finished(3, new OperationResult { Stop = new StopResult { Means = StopMeans.Sigterm } }));
        };
        await agent.StartAsync();
        var fleet = new GrpcFleet(channels, null);
        var said = new List<string>();

        var broken = await fleet.RunAsync(Stop(agent), Operation, Deployment, p => said.Add(((StepProgress.Message)p).Text), cancellation);
        var done = await fleet.RunAsync(Stop(agent), Operation, Deployment, p => said.Add(((StepProgress.Message)p).Text), cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(broken, Is.TypeOf<StepOutcome.Unknown>());
            Assert.That(((StepOutcome.Unknown)broken).Error.Facts["host"], Is.EqualTo("web1"));
            Assert.That(done, Is.EqualTo(new StepOutcome.Succeeded("stopped by SIGTERM after 0.0 s")));
            Assert.That(said.Distinct(), Is.EqualTo(said));
            Assert.That(said[^1], Is.EqualTo("second"));
        });
    }

    [Test, CancelAfter(20_000)]
    public async Task An_agents_own_no_is_a_failure_with_its_reason_and_the_last_lines(CancellationToken cancellation)
    {
        await using var agent = new ScriptedAgent();
        agent.OnStop = async (stream, _) =>
        {
            await stream.WriteAsync(new OperationEvent { Sequence = 1, Output = new OutputLine { Text = "** (EXIT) boom" } });
            throw new OperatorError(StatusCode.Aborted, "INSTANCE_EXITED", "it died", "look").ToRpcException();
        };
        await agent.StartAsync();

        var outcome = await new GrpcFleet(channels, null).RunAsync(Stop(agent), Operation, Deployment, _ => { }, cancellation);

        Assert.Multiple(() =>
        {
            var failed = (StepOutcome.Failed)outcome;
            Assert.That(failed.Error.Reason, Is.EqualTo("INSTANCE_EXITED"));
            Assert.That(failed.Error.WhatNext, Is.EqualTo("look"));
            Assert.That(failed.Tail, Is.EqualTo(new[] { "** (EXIT) boom" }));
        });
    }

    [Test, CancelAfter(20_000)]
    public async Task Giving_up_asks_the_agent_to_cancel_the_operation(CancellationToken cancellation)
    {
        await using var agent = new ScriptedAgent();
        using var abort = new CancellationTokenSource();
        agent.OnStop = async (stream, context) =>
        {
            await stream.WriteAsync(new OperationEvent { Sequence = 1, Message = "working" });
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        };
        await agent.StartAsync();

        var run = new GrpcFleet(channels, null).RunAsync(Stop(agent), Operation, Deployment, _ => abort.Cancel(), abort.Token);

        Assert.That(async () => await run, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(agent.Cancelled, Is.EqualTo(new[] { Operation.Value }));
    }

    [Test, CancelAfter(20_000)]
    public async Task An_agent_that_is_not_there_is_an_answer_that_names_its_address(CancellationToken cancellation)
    {
        var nowhere = new ManifestHost(HostName.Parse("web1"), AgentAddress.Parse($"unix:{Path.GetTempPath()}decant-no-such.sock"), "127.0.0.1", [Slot()]);
        var fleet = new GrpcFleet(channels, null);

        var seen = await fleet.ObserveAsync(nowhere, App, cancellation);
        var outcome = await fleet.RunAsync(
            new StopStep(nowhere, App, null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)), Operation, Deployment, _ => { }, cancellation);

        Assert.Multiple(() =>
        {
            var error = ((HostObservation.Unreachable)seen).Error;
            Assert.That(error.Code, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(error.Message, Does.Contain(nowhere.Agent.Value));
            Assert.That(outcome, Is.TypeOf<StepOutcome.Unknown>());
        });
    }

    private static ReleaseId Release => new(ReleaseVersion.Parse("1.0.0"), Sha256Digest.Parse(new string('a', 64)));

    private static SlotSettings Slot() => new(SlotName.Parse("main"), 4000, "", new Dictionary<string, string>(), true);

    private static ManifestHost Host(ScriptedAgent agent) => new(HostName.Parse("web1"), AgentAddress.Parse($"unix:{agent.Socket}"), "127.0.0.1", [Slot()]);

    private static StopStep Stop(ScriptedAgent agent) => new(Host(agent), App, null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
}
