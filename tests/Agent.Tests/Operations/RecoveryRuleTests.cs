using System.Text.RegularExpressions;
using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.State;
using Decant.Agent.Supervision;
using Decant.EndToEnd.Harness;
using Decant.Names;

namespace Decant.Agent.Tests.Operations;

internal sealed class RecoveryRuleTests
{
    private static readonly AppName Shop = AppName.Parse("shop");
    private static readonly ReleaseId Release = new(ReleaseVersion.Parse("1.4.2"), Sha256Digest.Parse(new string('a', 64)));
    private static readonly DeploymentId Deployment = DeploymentId.Parse("d-42");
    private static readonly DateTimeOffset Begin = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly HostTruth Nothing = new((_, _) => null, _ => null, (_, _) => null);

    [Test]
    public void Every_kind_of_operation_has_a_rule()
    {
        Assert.That(RecoveryRule.All.Select(r => r.Kind), Is.EqualTo(Enum.GetValues<OperationKind>()));
        Assert.That(() => RecoveryRule.Of((OperationKind)1000), Throws.InvalidOperationException, "a kind that was added and has none");
    }

    [Test]
    public void The_manual_page_has_the_same_rules()
    {
        var page = File.ReadAllText(Path.Combine(Programs.Repository, "packaging", "man", "decantd.8"));
        var section = Regex.Match(page, @"\.SH RECOVERY\n(.*?)\.SH ", RegexOptions.Singleline).Groups[1].Value;
        var entries = Regex.Matches(section, @"\.TP\n(\w+)\n(.*)\n").Select(m => (m.Groups[1].Value, m.Groups[2].Value));

        Assert.That(entries, Is.EqualTo(RecoveryRule.All.Select(r => (r.Kind.ToString(), $"{Word(r.Action)}: {r.OnStart}."))));
    }

    [Test]
    public void The_manual_page_says_what_is_not_known_any_more_when_the_state_is_rebuilt()
    {
        var page = File.ReadAllText(Path.Combine(Programs.Repository, "packaging", "man", "decantd.8")).Replace("\\-", "-", StringComparison.Ordinal);

        Assert.That(StateFault.NotKnownAnyMore.Where(unknown => !page.Contains($"\n{unknown}", StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public void What_is_not_found_done_is_interrupted_with_what_is_known_and_what_to_do([Values] OperationKind kind)
    {
        var left = Left(kind);
        // A host on which the opposite of each kind is true: something runs that should be gone, and what should be there is not.
        var truth = kind is OperationKind.RemoveRelease ? Nothing with { Release = (_, _) => Tree() }
            : kind is OperationKind.Stop or OperationKind.Retire ? Nothing with { Slot = _ => Slot(running: true) }
            : Nothing;

        var ended = RecoveryRule.End(left, truth, Begin.AddHours(1));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(ended.State, Is.EqualTo(OperationState.Interrupted));
            Assert.That(ended.Error!.Reason, Is.EqualTo("OPERATION_INTERRUPTED"));
            Assert.That(ended.Error.Message, Does.Contain("the agent died").And.Contain(RecoveryRule.Of(kind).Otherwise));
            Assert.That(ended.Error.WhatNext, Is.Not.Empty);
        }
    }

    [Test]
    public void What_is_found_done_has_succeeded_with_its_result()
    {
        var running = Nothing with { Slot = _ => Slot(running: true) };
        var stopped = Nothing with { Slot = _ => Slot(running: false) };

        using (Assert.EnterMultipleScope())
        {
            Assert.That(Done(OperationKind.Stage, Nothing with { Release = (_, _) => Tree() }), Is.EqualTo(new Staged(Release, 1000, 10)));
            Assert.That(Done(OperationKind.RemoveRelease, Nothing), Is.EqualTo(new Done()));
            Assert.That(
                Done(OperationKind.Migrate, Nothing with { Migration = (_, _) => new Migrated(0, TimeSpan.FromSeconds(4), [], AlreadyDone: false) }),
                Is.InstanceOf<Migrated>());
            Assert.That(Done(OperationKind.Start, running), Is.EqualTo(new Started(4711, 99)));
            Assert.That(Done(OperationKind.Stop, stopped), Is.EqualTo(new Stopped(StopMeans.NotRunning, TimeSpan.Zero, 143)));
            Assert.That(Done(OperationKind.Keep, running), Is.EqualTo(new Done()));
            Assert.That(Done(OperationKind.Retire, stopped), Is.EqualTo(new Done()));
        }
    }

    [Test]
    public void An_instance_of_an_earlier_start_is_not_taken_for_the_one_that_was_interrupted()
    {
        var running = Nothing with { Slot = _ => Slot(running: true) };
        var ofAnother = Left(OperationKind.Start) with { Deployment = DeploymentId.Parse("d-43") };
        var ofNone = Left(OperationKind.Start) with { Deployment = null };

        Assert.That(RecoveryRule.End(ofAnother, running, Begin).State, Is.EqualTo(OperationState.Interrupted));
        Assert.That(RecoveryRule.End(ofNone, running, Begin).State, Is.EqualTo(OperationState.Interrupted));
    }

    private static OperationResult? Done(OperationKind kind, HostTruth truth)
    {
        var ended = RecoveryRule.End(Left(kind), truth, Begin.AddHours(1));
        Assert.That(ended.State, Is.EqualTo(OperationState.Succeeded), $"{kind}");
        return ended.Result;
    }

    private static OperationRecord Left(OperationKind kind) => new(
        OperationId.Parse("op"), Deployment, kind, new OperationSubject(Shop, SlotName.Parse("main"), Release, "edge/shop/web1"), "f", Begin, OperationState.Running);

    private static StagedRelease Tree() => new(Shop, Release, "/releases/shop", "13.1.5", true, 1000, 10, Begin);

    private static InstanceSnapshot Slot(bool running) => new(
        new InstanceRecord(
            new InstanceKey(Shop, SlotName.Parse("main")),
            Wanted: running,
            Release,
            new SlotSpec(4000, NodeName.Parse("shop@127.0.0.1"), true, new Dictionary<string, string>()),
            null,
            Deployment,
            0,
            running ? null : new ExitReport(143, Begin, [], null)),
        running ? InstanceState.Running : InstanceState.Stopped,
        running ? new ProcessIdentity(4711, 99, "boot") : null,
        running ? Begin.AddSeconds(1) : null,
        null,
        null,
        null);

    private static string Word(RecoveryAction action) => action switch
    {
        RecoveryAction.Finish => "Finished",
        RecoveryAction.Undo => "Undone",
        RecoveryAction.FailByName => "Fails by name",
        _ => throw new InvalidOperationException($"{action} has no word"),
    };
}
