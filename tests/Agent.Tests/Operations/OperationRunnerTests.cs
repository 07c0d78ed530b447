using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests.Operations;

public class OperationRunnerTests
{
    private TemporaryDirectory directory = null!;
    private AgentDatabase database = null!;
    private OperationJournal journal = null!;
    private OperationRunner runner = null!;

    [SetUp]
    public void Open()
    {
        directory = new TemporaryDirectory();
        OpenAgent();
    }

    [TearDown]
    public async Task Close()
    {
        await runner.DisposeAsync();
        database.Dispose();
        directory.Dispose();
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task A_call_repeated_with_the_same_id_joins_the_running_operation_and_runs_nothing_again(CancellationToken cancellation)
    {
        var runs = 0;
        var release = new TaskCompletionSource();
        OperationWork work = async (report, token) =>
        {
            Interlocked.Increment(ref runs);
            report.Message("half way");
            await release.Task.WaitAsync(token);
            return new Evaluated(0);
        };

        var first = runner.Begin(Request("a"), work);
        var second = runner.Begin(Request("a"), work);
        release.SetResult();
        var events = await EventsAsync(second, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(second, Is.SameAs(first));
            Assert.That(runs, Is.EqualTo(1));
            Assert.That(events.Select(e => e.GetType()), Is.EqualTo(new[] { typeof(OperationStarted), typeof(MessageReported), typeof(OperationFinished) }));
            Assert.That(events.Select(e => e.Sequence), Is.EqualTo(new[] { 1, 2, 3 }));
        });
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task A_repeated_call_gets_the_first_ones_result_and_events_after_a_restart_of_the_agent(CancellationToken cancellation)
    {
        var error = new OperatorError(StatusCode.Aborted, "MIGRATION_FAILED", "exit code 1", "look at the output").With("app", "shop");
        await EventsAsync(
            runner.Begin(Request("a"), (report, _) =>
            {
                report.Output(new OutputLine("boom", IsError: true));
                throw new OperatorException(error);
            }),
            cancellation);

        await RestartAgentAsync();
        var again = runner.Begin(Request("a"), (_, _) => throw new InvalidOperationException("must not run again"));
        var events = await EventsAsync(again, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(again.Record.State, Is.EqualTo(OperationState.Failed));
            Assert.That(again.Record.Error!.WhatNext, Is.EqualTo("look at the output"));
            Assert.That(again.Record.Error!.Facts, Is.EqualTo(error.Facts));
            Assert.That(events.OfType<OutputReported>().Single().Line.Text, Is.EqualTo("boom"));
            Assert.That(events[^1], Is.TypeOf<OperationFinished>());
        });
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task An_id_that_was_used_for_another_request_is_refused(CancellationToken cancellation)
    {
        await EventsAsync(runner.Begin(Request("a"), Nothing), cancellation);

        Assert.That(
            () => runner.Begin(Request("a") with { Fingerprint = "other" }, Nothing),
            Throws.TypeOf<OperatorException>().With.Property(nameof(OperatorException.Error)).Property("Reason").EqualTo("OPERATION_ID_REUSED"));
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task Operations_that_must_not_overlap_take_turns_in_the_order_of_their_calls(CancellationToken cancellation)
    {
        var order = new List<string>();
        var release = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        OperationWork Named(string name) => async (_, token) =>
        {
            order.Add($"{name} begins");
            started.TrySetResult();
            await release.Task.WaitAsync(token);
            order.Add($"{name} ends");
            return new Done();
        };

        var first = runner.Begin(Request("a", exclusive: "app/shop"), Named("a"));
        await started.Task.WaitAsync(cancellation);
        var second = runner.Begin(Request("b", exclusive: "app/shop"), Named("b"));
        release.SetResult();
        await EventsAsync(first, cancellation);
        await EventsAsync(second, cancellation);

        Assert.That(order, Is.EqualTo(new[] { "a begins", "a ends", "b begins", "b ends" }));
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task What_ran_when_the_agent_died_is_found_once_and_ends_as_recovery_says(CancellationToken cancellation)
    {
        journal.Begin(new OperationRecord(
            OperationId.Parse("x"), null, OperationKind.Stop, new OperationSubject(AppName.Parse("shop")), "f", DateTimeOffset.UnixEpoch, OperationState.Running));

        await RestartAgentAsync();
        var found = journal.EndLeftRunning(r => r with { State = OperationState.Interrupted, EndedAt = DateTimeOffset.UnixEpoch.AddHours(1) });

        Assert.Multiple(() =>
        {
            Assert.That(found.Select(r => r.Id.Value), Is.EqualTo(new[] { "x" }));
            Assert.That(runner.Find(OperationId.Parse("x"))!.Record.State, Is.EqualTo(OperationState.Interrupted));
            Assert.That(journal.EndLeftRunning(r => r), Is.Empty);
        });
        await Task.CompletedTask.WaitAsync(cancellation);
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task An_operation_that_is_cancelled_says_who_asked_for_it(CancellationToken cancellation)
    {
        var operation = runner.Begin(Request("a"), Endless);

        operation.Cancel("ann: wrong release");
        await EventsAsync(operation, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(operation.Record.State, Is.EqualTo(OperationState.Cancelled));
            Assert.That(operation.Record.Error!.Message, Does.Contain("ann: wrong release"));
        });
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task The_agents_stop_interrupts_what_runs_and_journals_it(CancellationToken cancellation)
    {
        var operation = runner.Begin(Request("a"), Endless);

        await runner.DisposeAsync().AsTask().WaitAsync(cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(journal.Find(operation.Id)!.Value.Record.State, Is.EqualTo(OperationState.Interrupted));
            Assert.That(() => runner.Begin(Request("b"), Nothing), Throws.TypeOf<OperatorException>());
        });
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task An_operation_that_talks_without_end_keeps_its_first_and_last_events_and_bounded_memory(CancellationToken cancellation)
    {
        var operation = runner.Begin(Request("a"), (report, _) =>
        {
            for (var i = 0; i < 100_000; i++) report.Message($"line {i}");
            return Task.FromResult<OperationResult>(new Done());
        });
        await EventsAsync(operation, cancellation);

        var events = await EventsAsync(operation, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(events, Has.Count.LessThan(2500));
            Assert.That(events[0], Is.TypeOf<OperationStarted>());
            Assert.That(events[^2], Is.TypeOf<MessageReported>().With.Property("Text").EqualTo("line 99999"));
        });
    }

    [Test]
    [CancelAfter(20_000)]
    public async Task The_journal_keeps_a_bounded_number_of_ended_operations(CancellationToken cancellation)
    {
        for (var i = 0; i < 60; i++) await EventsAsync(runner.Begin(Request($"op-{i}"), Nothing), cancellation);

        var kept = journal.List(null, null, 1000);

        Assert.Multiple(() =>
        {
            Assert.That(kept, Has.Count.InRange(50, 56));
            Assert.That(kept[0].Id.Value, Is.EqualTo("op-59"));
        });
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Many_operations_that_wait_for_one_turn_get_it_in_the_order_of_their_calls(CancellationToken cancellation)
    {
        var order = new List<int>();
        var operations = Enumerable.Range(0, 40)
            .Select(i => runner.Begin(Request($"op-{i}", exclusive: "app/shop"), (_, _) =>
            {
                order.Add(i);
                return Task.FromResult<OperationResult>(new Done());
            }))
            .ToList();
        foreach (var operation in operations) await EventsAsync(operation, cancellation);

        Assert.That(order, Is.EqualTo(Enumerable.Range(0, 40)));
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Work_that_does_not_heed_the_agents_stop_is_journaled_as_interrupted_and_its_followers_are_told(CancellationToken cancellation)
    {
        var deaf = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        var operation = runner.Begin(Request("deaf"), async (_, _) =>
        {
            started.SetResult();
            await deaf.Task;
            return new Done();
        });
        await started.Task.WaitAsync(cancellation);
        var following = EventsAsync(operation, cancellation);

        await runner.DisposeAsync().AsTask().WaitAsync(cancellation);
        var events = await following;
        deaf.SetResult();

        Assert.That(events[^1], Is.TypeOf<OperationFinished>().With.Property("Record").Property("State").EqualTo(OperationState.Interrupted));
        Assert.That(journal.Find(operation.Id)!.Value.Record.State, Is.EqualTo(OperationState.Interrupted));
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Watchers_see_each_operation_begin_before_it_ends_and_are_told_when_the_agent_stops(CancellationToken cancellation)
    {
        var seen = new List<(string, OperationState)>();
        var begun = new TaskCompletionSource();
        var blocker = runner.Begin(Request("blocker"), Endless);
        var watching = Task.Run(
            async () =>
            {
                await foreach (var record in runner.WatchAsync(cancellation))
                {
                    seen.Add((record.Id.Value, record.State));
                    begun.TrySetResult();
                }
            },
            cancellation);
        await begun.Task.WaitAsync(cancellation);
        for (var i = 0; i < 30; i++) await EventsAsync(runner.Begin(Request($"op-{i}"), Nothing), cancellation);
        await runner.DisposeAsync();

        var stop = await Assert.ThrowsAsync<OperatorException>(() => watching);
        Assert.That((stop!.Error.Code, stop.Error.Reason), Is.EqualTo((StatusCode.Unavailable, "AGENT_STOPPING")));
        var expected = Enumerable.Range(0, 30).SelectMany(i => new[] { ($"op-{i}", OperationState.Running), ($"op-{i}", OperationState.Succeeded) })
            .Prepend(("blocker", OperationState.Running)).Append(("blocker", OperationState.Interrupted));
        Assert.That(seen, Is.EqualTo(expected));
        Assert.That(blocker.Record.State, Is.EqualTo(OperationState.Interrupted));
        Assert.That(async () => await runner.WatchAsync(cancellation).FirstAsync(cancellation), Throws.TypeOf<OperatorException>());
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_watcher_that_does_not_read_costs_bounded_memory_and_gets_the_newest(CancellationToken cancellation)
    {
        await using var watcher = runner.WatchAsync(cancellation).GetAsyncEnumerator(cancellation);
        runner.Begin(Request("first"), Endless);
        Assert.That(await watcher.MoveNextAsync(), Is.True);

        for (var i = 0; i < 600; i++) await EventsAsync(runner.Begin(Request($"op-{i}"), Nothing), cancellation);
        await runner.DisposeAsync();
        var late = new List<string>();
        try
        {
            while (await watcher.MoveNextAsync()) late.Add(watcher.Current.Id.Value);
        }
        catch (OperatorException)
        {
            // The agent stops: the end.
        }

        Assert.That(late, Has.Count.EqualTo(1000), "of 1201");
        Assert.That(late[^2..], Is.EqualTo(new[] { "op-599", "first" }));
    }

    private static OperationRequest Request(string id, string? exclusive = null)
        => new(OperationId.Parse(id), DeploymentId.Parse("d1"), OperationKind.Evaluate, new OperationSubject(AppName.Parse("shop")), "f", exclusive);

    private static readonly OperationWork Nothing = (_, _) => Task.FromResult<OperationResult>(new Done());

    private static readonly OperationWork Endless = async (_, token) =>
    {
        await Task.Delay(Timeout.Infinite, token);
        return new Done();
    };

    private static async Task<List<OperationEvent>> EventsAsync(RunningOperation operation, CancellationToken cancellation)
    {
        var events = new List<OperationEvent>();
        await foreach (var item in operation.FollowAsync(0, cancellation)) events.Add(item);
        return events;
    }

    private async Task RestartAgentAsync()
    {
        await runner.DisposeAsync();
        database.Dispose();
        OpenAgent();
    }

    private void OpenAgent()
    {
        database = AgentDatabase.Open(directory["agent.db"]);
        journal = new OperationJournal(database, keep: 50);
        runner = new OperationRunner(journal, new LeaseStore(database).Open(TimeProvider.System), TimeProvider.System, NullLogger<OperationRunner>.Instance);
    }
}
