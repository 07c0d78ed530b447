using Decant.Controller.Fleet;
using Decant.V1;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;

namespace Decant.Controller.Tests.Fleet;

/// <summary>Deadlines of calls when somebody sets the clock on the wall, and of calls that name none.</summary>
public class MeasuredDeadlinesTests
{
    // To the library, which reads the clock of this machine, it is as if that had been set back by an hour since the call began.
    private readonly FakeTimeProvider time = new(DateTimeOffset.UtcNow.AddHours(1));

    [Test, CancelAfter(20_000)]
    public async Task A_clock_that_is_set_back_does_not_make_a_call_last_longer(CancellationToken cancellation)
    {
        await using var agent = new ScriptedAgent { BeforeCancel = Task.Delay(Timeout.Infinite, cancellation) };
        await agent.StartAsync();
        using var channels = new AgentChannels(time, new CallTimings(), NoIdentity.Here);
        var call = new Operations.OperationsClient(channels.To(Address(agent)))
            .CancelOperationAsync(new CancelOperationRequest { Id = "one" }, deadline: channels.Deadline(TimeSpan.FromSeconds(4)), cancellationToken: cancellation);
        await agent.CancelAsked.WaitAsync(cancellation);

        time.Advance(TimeSpan.FromSeconds(4));

        var thrown = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.That((thrown!.StatusCode, thrown.Status.Detail), Is.EqualTo((StatusCode.DeadlineExceeded, "no answer within 4 s")));
    }

    [Test, CancelAfter(20_000)]
    public async Task A_question_that_names_no_deadline_has_one(CancellationToken cancellation)
    {
        await using var agent = new ScriptedAgent { BeforeCancel = Task.Delay(Timeout.Infinite, cancellation) };
        await agent.StartAsync();
        using var channels = new AgentChannels(time, new CallTimings(), NoIdentity.Here);
        var call = new Operations.OperationsClient(channels.To(Address(agent))).CancelOperationAsync(new CancelOperationRequest { Id = "one" }, cancellationToken: cancellation);
        await agent.CancelAsked.WaitAsync(cancellation);

        time.Advance(new CallTimings().Answer);

        Assert.That((await Assert.ThrowsAsync<RpcException>(async () => await call))!.StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
    }

    [Test, CancelAfter(20_000)]
    public async Task A_stream_with_a_deadline_ends_by_it_and_one_without_goes_on(CancellationToken cancellation)
    {
        var began = new SemaphoreSlim(0);
        var goOn = new TaskCompletionSource();
        await using var agent = new ScriptedAgent
        {
            OnStop = async (stream, context) =>
            {
                began.Release();
                await goOn.Task.WaitAsync(context.CancellationToken);
                await stream.WriteAsync(new OperationEvent { Message = "at last" });
            },
        };
        await agent.StartAsync();
        using var channels = new AgentChannels(time, new CallTimings(), NoIdentity.Here);
        var client = new Instances.InstancesClient(channels.To(Address(agent)));
        using var limited = client.Stop(new StopRequest(), deadline: channels.Deadline(TimeSpan.FromSeconds(2)), cancellationToken: cancellation);
        using var open = client.Stop(new StopRequest(), cancellationToken: cancellation);
        await began.WaitAsync(cancellation);
        await began.WaitAsync(cancellation);

        time.Advance(TimeSpan.FromDays(1));

        var thrown = await Assert.ThrowsAsync<RpcException>(async () => await limited.ResponseStream.MoveNext(cancellation));
        Assert.That(thrown!.StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        goOn.SetResult();
        Assert.That(await open.ResponseStream.MoveNext(cancellation), Is.True);
        Assert.That(open.ResponseStream.Current.Message, Is.EqualTo("at last"));
    }

    [Test, CancelAfter(20_000)]
    public async Task A_caller_that_gives_up_is_told_that_it_did(CancellationToken cancellation)
    {
        await using var agent = new ScriptedAgent { BeforeCancel = Task.Delay(Timeout.Infinite, cancellation) };
        await agent.StartAsync();
        using var channels = new AgentChannels(time, new CallTimings(), NoIdentity.Here);
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var call = new Operations.OperationsClient(channels.To(Address(agent))).CancelOperationAsync(new CancelOperationRequest { Id = "one" }, cancellationToken: giveUp.Token);
        await agent.CancelAsked.WaitAsync(cancellation);

        await giveUp.CancelAsync();

        Assert.That((await Assert.ThrowsAsync<RpcException>(async () => await call))!.StatusCode, Is.EqualTo(StatusCode.Cancelled));
    }

    private static AgentAddress Address(ScriptedAgent agent) => AgentAddress.Parse($"unix:{agent.Socket}");
}
