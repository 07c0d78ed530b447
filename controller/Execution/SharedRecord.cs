using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>
/// The record of one deployment, at the agents whose leases it holds and in this machine's journal. Agents first: what this journal has, another
/// machine can have, too. An agent that cannot keep it holds nothing up as long as it says nothing of a later one.
/// </summary>
/// <param name="records">The agents' records.</param>
/// <param name="journal">This machine's.</param>
/// <param name="lease">The right to write.</param>
/// <param name="id">The deployment.</param>
/// <param name="events">Told of agents that do not keep it.</param>
internal sealed class SharedRecord(IHostRecords records, DeploymentJournal journal, LeaseKeeper lease, DeploymentId id, EventStream events)
{
    /// <summary>Writes a deployment down before anything of it is done.</summary>
    /// <exception cref="OperatorException">The lease is lost.</exception>
    public async Task BeginAsync(DeploymentRecord record)
    {
        var first = record with { Revision = 1 };
        if (await PutAsync(first) is { } refusal) throw new OperatorException(refusal);
        journal.Begin(first);
    }

    /// <summary>Writes down that somebody goes on with it.</summary>
    /// <exception cref="OperatorException">The lease is lost, or somebody else has gone on.</exception>
    public async Task ResumeAsync(Func<DeploymentRecord, DeploymentRecord> change)
    {
        var next = Next(change);
        if (await PutAsync(next) is { } refusal) throw new OperatorException(refusal);
        journal.Update(id, _ => next);
    }

    /// <summary>Writes down where it stands. Who has lost the lease tells its own journal only.</summary>
    public async Task UpdateAsync(Func<DeploymentRecord, DeploymentRecord> change)
    {
        var next = Next(change);
        if (!lease.IsLost && await PutAsync(next) is { } refusal) lease.Lose(refusal);
        journal.Update(id, _ => next);
    }

    private DeploymentRecord Next(Func<DeploymentRecord, DeploymentRecord> change)
    {
        var known = journal.Find(id)!;
        // Which is what readers make of one whose controller is dead.
        if (known.Status == DeploymentStatus.Interrupted) known = known with { Status = DeploymentStatus.Running };
        return change(known) with { Revision = known.Revision + 1 };
    }

    /// <summary>Returns why nothing more may be changed; null: go on.</summary>
    private async Task<OperatorError?> PutAsync(DeploymentRecord record)
    {
        var message = RecordMapping.ToMessage(record);
        var answers = await Task.WhenAll(lease.Agents.Select(agent => records.PutAsync(agent, message, CancellationToken.None)));
        var errors = answers.OfType<OperatorError>().ToList();
        if (errors.FirstOrDefault(e => LeaseKeeper.IsLoss(e) || e.Reason == Refusals.RecordSuperseded) is { } refusal) return refusal;
        if (errors.Count > 0) events.Tell((at, deployment) => new RecordNotKept(at, deployment, errors));
        return null;
    }
}
