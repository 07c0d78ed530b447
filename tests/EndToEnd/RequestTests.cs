using System.Formats.Tar;
using System.IO.Compression;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Decant.EndToEnd;

public class RequestTests
{
    private LoneAgent agent = null!;
    private CallInvoker invoker = null!;

    [OneTimeSetUp]
    public async Task StartAgent()
    {
        agent = await LoneAgent.StartAsync(CancellationToken.None);
        invoker = agent.Host.Channel.CreateCallInvoker();
    }

    [OneTimeTearDown]
    public async Task StopAgent() => await agent.DisposeAsync();

    [Test]
    [CancelAfter(60_000)]
    public async Task An_empty_request_of_every_call_that_changes_something_is_told_each_missing_field(CancellationToken cancellation)
    {
        string[] calls = [.. Contract.Mutating.Select(m => m.FullName), "decant.v1.Operations.CancelOperation", "decant.v1.Releases.Upload"];
        Assert.That(calls, Has.Length.GreaterThanOrEqualTo(13), "the descriptors were read");
        foreach (var method in Contract.Methods.Where(m => calls.Contains(m.FullName)))
        {
            var error = await AgentClient.ErrorAsync(() => Contract.CallAsync(invoker, method, [], cancellation));

            Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.InvalidArgument, "BAD_REQUEST")), method.FullName);
            Assert.That(error.Fields, Is.Not.Empty, method.FullName);
            Assert.That(error.Fields.Select(f => f.Reason), Has.None.Empty, method.FullName);
            if (method.InputType.FindFieldByName("operation") is null) continue;
            Assert.That(error.Fields.Select(f => f.Field), Has.Member("operation.id"), method.FullName);
            // Drains name a balancer, not an app.
            Assert.That(error.Fields.Select(f => f.Field), Has.Member("app").Or.Member("balancer"), method.FullName);
        }
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_repeated_request_gets_the_first_ones_answer_also_after_a_restart_and_the_id_serves_no_other(CancellationToken cancellation)
    {
        var requests = Contract.Mutating.ToDictionary(m => m, m => Requests.Valid(m, $"again/{m.Name}", agent.Host.AppPort));
        var first = new Dictionary<MethodDescriptor, Answer>();
        foreach (var (method, request) in requests) first[method] = await AskAsync(method, request, cancellation);
        foreach (var (method, request) in requests)
        {
            Assert.That(first[method].Code, Is.Not.EqualTo(StatusCode.InvalidArgument), $"{method.FullName}: the request is meant to be valid: {first[method].Reason}");
            Assert.That(await AskAsync(method, request, cancellation), Is.EqualTo(first[method]), method.FullName);

            foreach (var other in (IMessage[])[OfAnotherApp(request), OfAnotherDeployment(request)])
            {
                var refused = await AskAsync(method, other, cancellation);
                Assert.That((refused.Code, refused.Reason), Is.EqualTo((StatusCode.AlreadyExists, "OPERATION_ID_REUSED")), $"{method.FullName}: {other}");
            }
        }

        await agent.Host.StopAgentAsync(cancellation);
        await agent.Host.StartAgentAsync(cancellation);
        foreach (var (method, request) in requests)
            Assert.That(await AskAsync(method, request, cancellation), Is.EqualTo(first[method]), $"{method.FullName} after the restart");
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task No_request_whatever_is_in_it_ends_as_an_internal_error_or_ends_the_agent(CancellationToken cancellation)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DECANT_TEST_SEED"), out var given) ? given : Random.Shared.Next();
        await TestContext.Progress.WriteLineAsync($"requests of seed {seed} (DECANT_TEST_SEED)");
        var random = new Random(seed);
        // With a release there, what passes is really done.
        var archive = QuickRelease();
        var release = AgentClient.Announce("1.0.0", archive);
        await agent.Client.StageAsync("demo", release, archive, cancellation);
        var calls = Enumerable.Range(0, 40).SelectMany(round => Contract.Methods.Select(method => (round, method))).Select((call, n) => (
            call.method,
            bytes: (call.round % 3) switch
            {
                0 => Requests.Any(call.method.InputType, random).ToByteArray(),
                1 => Requests.Nearly(call.method, $"nearly/{n}", agent.Host.AppPort, release.Digest, random).ToByteArray(),
                // On the wire: fields that are unknown, huge, of another type, nested deeper than any parser goes, cut off.
                _ => Wire.Spoilt(Requests.Valid(call.method, $"spoilt/{n}", agent.Host.AppPort, release.Digest).ToByteArray(), random),
            })).ToList();

        var faults = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await Parallel.ForEachAsync(calls, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = cancellation }, async (call, _) =>
        {
            // Streams that follow something go on for ever.
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            enough.CancelAfter(500);
            try
            {
                await Contract.CallAsync(invoker, call.method, call.bytes, enough.Token);
            }
            catch (RpcException exception) when (exception.StatusCode is StatusCode.Internal or StatusCode.Unknown or StatusCode.Unavailable)
            {
                faults.Enqueue($"{call.method.FullName} {Convert.ToBase64String(call.bytes)}: {exception.Status} {OperatorError.FromRpc(exception).Reason}");
            }
            catch (Exception exception) when (exception is RpcException or OperationCanceledException)
            {
                // Refused, failed or followed: as it should be.
            }
        });

        Assert.That(faults, Is.Empty, $"seed {seed}\n{agent.Host.Agent.Output}");
        Assert.That(agent.Host.Agent.HasExited, Is.False, $"seed {seed}\n{agent.Host.Agent.Output}");
        Assert.That(agent.Host.Agent.Output, Does.Not.Contain("failed unexpectedly"), $"seed {seed}");
        var status = await agent.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
        // Leases that chance took would refuse what the next test asks for.
        var leases = new Leases.LeasesClient(agent.Host.Channel);
        foreach (var lease in status.Leases)
            await leases.ReleaseLeaseAsync(new ReleaseLeaseRequest { App = lease.App, FencingToken = lease.FencingToken }, cancellationToken: cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Bytes_that_are_no_message_and_messages_that_are_too_large_end_their_call_and_nothing_else(CancellationToken cancellation)
    {
        foreach (var method in Contract.Methods)
        {
            foreach (var bytes in (byte[][])[[0xFF, 0xFF, 0xFF], [0x0A, 0x7F]])
            {
                var error = await AgentClient.ErrorAsync(() => Contract.CallAsync(invoker, method, bytes, cancellation));
                Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.InvalidArgument, "BAD_REQUEST")), method.FullName);
                Assert.That(error.Facts["host"], Is.Not.Empty, method.FullName);
            }

            Assert.That(async () => await Contract.CallAsync(invoker, method, new byte[5 << 20], cancellation), Throws.TypeOf<RpcException>(), method.FullName);
        }

        Assert.That(agent.Host.Agent.HasExited, Is.False);
        Assert.That(agent.Host.Agent.Output, Does.Not.Contain("InvalidProtocolBufferException"), "one line for each, and no stack trace");
        var status = await agent.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
        // Leases that chance took would refuse what the next test asks for.
        var leases = new Leases.LeasesClient(agent.Host.Channel);
        foreach (var lease in status.Leases)
            await leases.ReleaseLeaseAsync(new ReleaseLeaseRequest { App = lease.App, FencingToken = lease.FencingToken }, cancellationToken: cancellation);
    }

    /// <summary>A release whose script ends at once, whatever it is asked.</summary>
    private static byte[] QuickRelease()
    {
        using var result = new MemoryStream();
        using (var zipped = new GZipStream(result, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(zipped, TarEntryFormat.Pax))
        {
            foreach (var (name, text) in (ReadOnlySpan<(string, string)>)[("bin/demo", "#!/bin/sh\necho \"$1\"\n"), ("releases/start_erl.data", "13.1.5 1.0.0"), ("releases/COOKIE", "c"), ("releases/1.0.0/sys.config", "[].")])
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
                {
                    DataStream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text)),
                    Mode = (UnixFileMode)0b111_101_101,
                });
            }
        }

        return result.ToArray();
    }

    private static IMessage OfAnotherApp(IMessage request)
    {
        var other = request.Descriptor.Parser.ParseFrom(request.ToByteArray());
        other.Descriptor.FindFieldByName("app").Accessor.SetValue(other, "other");
        return other;
    }

    private static IMessage OfAnotherDeployment(IMessage request)
    {
        var other = request.Descriptor.Parser.ParseFrom(request.ToByteArray());
        ((OperationRef)other.Descriptor.FindFieldByName("operation").Accessor.GetValue(other)).DeploymentId = "d2";
        return other;
    }

    private async Task<Answer> AskAsync(MethodDescriptor method, IMessage request, CancellationToken cancellation)
    {
        var operation = ((OperationRef)method.InputType.FindFieldByName("operation").Accessor.GetValue(request)).Id;
        try
        {
            var events = await Contract.CallAsync(invoker, method, request.ToByteArray(), cancellation);
            return new Answer(StatusCode.OK, "", $"{((OperationEvent)events[^1]).Finished}");
        }
        catch (RpcException exception)
        {
            var error = OperatorError.FromRpc(exception);
            if (error.Reason is "BAD_REQUEST" or "OPERATION_ID_REUSED") return new Answer(error.Code, error.Reason, error.Message);
            var journaled = await agent.Client.Operations.GetOperationAsync(new GetOperationRequest { Id = operation }, cancellationToken: cancellation);
            return new Answer(error.Code, error.Reason, $"{journaled}");
        }
    }

    private sealed record Answer(StatusCode Code, string Reason, string Finished);
}
