using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>
/// Brings this machine's journal up to what the agents of a manifest know of its app's deployments. Of several records of one deployment the
/// newest counts, whichever agent has it.
/// </summary>
internal sealed class AgentsMemory(IHostRecords records, DeploymentJournal journal, TimeProvider time)
{
    /// <summary>Asks all agents, and takes over what is newer than what this machine knows.</summary>
    /// <param name="manifest">Whose agents, and whose app.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<Recollection> RecallAsync(DeploymentManifest manifest, CancellationToken cancellation)
    {
        var agents = NamedAgent.Of(manifest);
        var answers = await Task.WhenAll(agents.Select(async agent =>
        {
            var (kept, error) = await records.ListAsync(agent.Address, manifest.App, null, cancellation);
            return (Agent: agent, Kept: kept, Error: error);
        }));
        var news = new List<Recalled>();
        var problems = answers.Where(a => a.Error is not null).Select(a => a.Error!.With("host", a.Agent.Name)).ToList();
        var said = answers
            .SelectMany(a => a.Kept.Select(k => new Said(a.Agent, k)))
            .GroupBy(s => DeploymentId.Parse(s.Kept.Record.Id))
            // Ids sort by time: what is known of a release comes from the last deployment of it.
            .OrderBy(d => d.Key.Value, StringComparer.Ordinal);
        foreach (var deployment in said)
        {
            if (await TakeOverAsync(manifest.App, deployment.Key, [.. deployment], agents, problems, cancellation) is { } recalled) news.Add(recalled);
        }

        var held = answers.SelectMany(a => a.Kept).Where(k => k.LeaseHeld).Select(k => DeploymentId.Parse(k.Record.Id)).ToHashSet();
        return new Recollection(news, held, problems);
    }

    private async Task<Recalled?> TakeOverAsync(
        AppName app, DeploymentId id, IReadOnlyList<Said> said, IReadOnlyList<NamedAgent> agents, List<OperatorError> problems, CancellationToken cancellation)
    {
        var newest = said.Max(s => s.Age);
        // Steps that follow change no record: of one that another machine runs, or ran, they are had again each time.
        if (journal.Find(id) is { } known
            && (known.Age.CompareTo(newest) > 0 || (known.Age == newest && (known.Holder.IsHere || known.Status != DeploymentStatus.Interrupted)))) return null;
        var from = said.Where(s => s.Age == newest).Select(s => s.Agent).ToList();
        if (await WholeAsync(app, id, from, newest, problems, cancellation) is not { } record) return null;

        var operations = await Task.WhenAll(agents.Select(a => records.OperationsAsync(a.Address, id, cancellation)));
        problems.AddRange(operations.Zip(agents).Where(o => o.First.Error is not null).Select(o => o.First.Error!.With("host", o.Second.Name)));
        var steps = operations.Zip(agents).SelectMany(o => o.First.Operations.Select(operation => StepOf(operation, o.Second, problems)))
            .OfType<(StepRecord Step, int Order)>().ToList();
        if (!journal.TakeOver(record, steps)) return null;
        Remember(record, steps);
        return new Recalled(
            time.GetUtcNow(),
            id,
            record.Attempt,
            [.. from.Select(a => a.Name)],
            [.. said.Where(s => s.Age != newest).Select(s => s.Agent.Name)],
            record.Holder.Name);
    }

    /// <summary>A release that made a deployment fail elsewhere is not to make another one fail here.</summary>
    private void Remember(DeploymentRecord record, List<(StepRecord Step, int Order)> steps)
    {
        if (record is not { Intent: PlanIntent.Deploy, Release: { } release }) return;
        var fault = steps.Select(s => s.Step).FirstOrDefault(s => s is
        {
            IsRollback: false,
            Verb: "preflight" or "migrate" or "start" or "await-healthy",
            End: { State: StepState.Failed, Error: not null },
        });
        if (record.Status == DeploymentStatus.Succeeded && fault is null) journal.Forget(record.App, release);
        if (fault is not null && (record.Status is DeploymentStatus.FailedUntouched or DeploymentStatus.RolledBack or DeploymentStatus.FailedPartly))
            journal.Remember(new FailedRelease(record.App, release, record.Id, fault.End!.Error!, record.EndedAt ?? record.StartedAt));
    }

    /// <summary>The whole record, from whoever still has it.</summary>
    private async Task<DeploymentRecord?> WholeAsync(
        AppName app, DeploymentId id, List<NamedAgent> agents, (int, int) age, List<OperatorError> problems, CancellationToken cancellation)
    {
        foreach (var agent in agents)
        {
            var (kept, error) = await records.ListAsync(agent.Address, app, id, cancellation);
            if (error is not null) problems.Add(error.With("host", agent.Name));
            if (kept is not [var whole, ..]) continue;
            try
            {
                var record = RecordMapping.ToRecord(whole.Record);
                if (record.Age.CompareTo(age) >= 0) return record;
            }
            catch (FormatException exception)
            {
                problems.Add(Unreadable($"the record of deployment {id}", exception).With("host", agent.Name));
            }
        }

        return null;
    }

    private static (StepRecord Step, int Order)? StepOf(V1.Operation operation, NamedAgent agent, List<OperatorError> problems)
    {
        try
        {
            return RecordMapping.ToStep(operation);
        }
        catch (FormatException exception)
        {
            problems.Add(Unreadable($"the step of operation {operation.Ref.Id}", exception).With("host", agent.Name));
            return null;
        }
    }

    private static OperatorError Unreadable(string what, FormatException exception) => new(
        StatusCode.FailedPrecondition,
        "RECORD_UNREADABLE",
        $"{what} means nothing to this version of decant: {exception.Message}",
        "use the version of decant that began it");

    private sealed record Said(NamedAgent Agent, V1.KeptDeployment Kept)
    {
        public (int Attempt, int Revision) Age => ((int)Kept.Record.Attempt, (int)Kept.Record.Revision);
    }
}

/// <summary>What came of asking the agents.</summary>
/// <param name="News">What this machine did not know, and does now.</param>
/// <param name="Held">Deployments whose leases are held: their controllers live, or died a moment ago.</param>
/// <param name="Problems">Agents that could not be asked, or whose records cannot be read.</param>
internal sealed record Recollection(IReadOnlyList<Recalled> News, IReadOnlySet<DeploymentId> Held, IReadOnlyList<OperatorError> Problems)
{
    /// <summary>Nobody was asked.</summary>
    public static Recollection None { get; } = new([], new HashSet<DeploymentId>(), []);

    /// <summary>A record as it is to be shown: one whose controller this machine cannot see runs as long as its lease is held.</summary>
    public DeploymentRecord Seen(DeploymentRecord record)
        => record is { Status: DeploymentStatus.Interrupted, Holder.IsHere: false } && Held.Contains(record.Id) ? record with { Status = DeploymentStatus.Running } : record;
}
