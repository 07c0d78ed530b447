using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Agent.Supervision;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using LiteDB;

namespace Decant.Agent.Elixir;

/// <summary>
/// Runs an app's migration from a staged release, once for a deployment: it is written down before it begins and after it ends, so that a
/// repetition, even after a restart of the agent, does not run it again.
/// </summary>
internal sealed class Migrations
{
    private const string State = "state";
    private const string Running = "running";
    private const string Succeeded = "succeeded";

    private readonly ReleaseScript script;
    private readonly TimeProvider time;
    private readonly StoredCollection records;

    /// <summary>Opens the record of migrations.</summary>
    public Migrations(ReleaseScript script, AgentDatabase database, TimeProvider time)
    {
        this.script = script;
        this.time = time;
        records = database.Collection("migrations");
    }

    /// <summary>Runs it, or says that it has been run. The caller sees to it that no two run at once for an app.</summary>
    /// <exception cref="OperatorException">MIGRATION_FAILED, MIGRATION_TIMEOUT, MIGRATION_UNCERTAIN, MIGRATION_RUNNING.</exception>
    public async Task<Migrated> RunAsync(
        ReleaseInSlot target, DeploymentId deployment, string expression, TimeSpan timeout, IOperationReport report, CancellationToken cancellation)
    {
        if (LeftRunning(target.Key.App) is { } left) throw new OperatorException(StillRuns(target, left));
        var id = $"{target.Key.App}/{deployment}";
        if (records.FindById(id) is { } known)
        {
            if (known[State] == Running) throw new OperatorException(Uncertain(target, deployment));
            if (known[State] == Succeeded)
            {
                report.Message($"the migration of deployment {deployment} has been run already");
                return new Migrated(0, TimeSpan.FromTicks(known["elapsed"].AsInt64), [], AlreadyDone: true);
            }
        }

        Write(id, Running, TimeSpan.Zero);
        // Found again by an agent that was killed meanwhile: the migration may outlive it.
        void Begun(ProcessIdentity process) => Write(id, Running, TimeSpan.Zero, process);
        CommandEnd end;
        try
        {
            end = await script.EvalAsync(target, expression, timeout, Begun, report.Output, cancellation);
        }
        catch (Exception exception) when (exception is OperationCanceledException or OperatorException)
        {
            // Killed on purpose, or never begun because the slot's environment cannot be made: either way its end is known.
            Write(id, "cancelled", TimeSpan.Zero);
            throw;
        }

        try
        {
            Write(id, end.Succeeded ? Succeeded : "failed", end.Elapsed);
        }
        catch (IOException exception) when (end.Succeeded)
        {
            throw new OperatorException(Unrecorded(target, exception), exception);
        }

        if (end.Succeeded) return new Migrated(0, end.Elapsed, end.Tail, AlreadyDone: false);
        throw new OperatorException(end.TimedOut ? TimedOut(target, timeout, end) : Failed(target, end));
    }

    /// <summary>A deployment's migration that succeeded; null when none did.</summary>
    public Migrated? FindSucceeded(AppName app, DeploymentId deployment)
        => records.FindById($"{app}/{deployment}") is { } known && known[State] == Succeeded
            ? new Migrated(0, TimeSpan.FromTicks(known["elapsed"].AsInt64), [], AlreadyDone: false)
            : null;

    /// <summary>The process of a migration that an earlier agent began and that runs still; null when there is none.</summary>
    private ProcessIdentity? LeftRunning(AppName app) => records.FindAll()
        .Where(r => r["_id"].AsString.StartsWith($"{app}/", StringComparison.Ordinal) && r[State] == Running && !r["pid"].IsNull)
        .Select(r => new ProcessIdentity(r["pid"], r["start_ticks"].AsInt64, r["boot"]))
        .FirstOrDefault(process => process.IsAlive);

    private void Write(string id, string state, TimeSpan elapsed, ProcessIdentity? process = null) => records.Upsert(new BsonDocument
    {
        ["_id"] = id,
        [State] = state,
        ["at"] = time.GetUtcNow().UtcTicks,
        ["elapsed"] = elapsed.Ticks,
        ["pid"] = process is null ? BsonValue.Null : new BsonValue(process.Pid),
        ["start_ticks"] = process is null ? BsonValue.Null : new BsonValue(process.StartTicks),
        ["boot"] = process is null ? BsonValue.Null : new BsonValue(process.BootId),
    });

    private static OperatorError Unrecorded(ReleaseInSlot target, IOException exception) => UnexpectedError.Of(exception) with
    {
        Message = $"the migration of {target.Key.App} {target.Release.Id.Version} was done, but that could not be written down: {exception.Message}",
        WhatNext = "free space or mend the disk that holds data_dir; then start a new deployment, which runs the migration again (it skips what is done)",
    };

    private static OperatorError Failed(ReleaseInSlot target, CommandEnd end) => new(
        StatusCode.Aborted,
        "MIGRATION_FAILED",
        $"the migration of {target.Key.App} {target.Release.Id.Version} failed with exit code {end.ExitCode}; its last lines:\n{end.TailText(10)}",
        "look at the database (a migration that failed may be half done), then mend what it says and run it again");

    private static OperatorError TimedOut(ReleaseInSlot target, TimeSpan timeout, CommandEnd end) => new(
        StatusCode.DeadlineExceeded,
        "MIGRATION_TIMEOUT",
        $"the migration of {target.Key.App} {target.Release.Id.Version} did not end within {timeout.TotalSeconds:0.###} s and was killed; its last lines:\n{end.TailText(10)}",
        "look at the database for locks and half-done work, then raise migrations.timeout or mend the migration");

    private static OperatorError StillRuns(ReleaseInSlot target, ProcessIdentity left) => new(
        StatusCode.FailedPrecondition,
        "MIGRATION_RUNNING",
        $"a migration of {target.Key.App} that was begun before the agent's last end still runs as pid {left.Pid}",
        "wait until that process has ended, or end it; then look at the database's own record of migrations and deploy again");

    private static OperatorError Uncertain(ReleaseInSlot target, DeploymentId deployment) => new(
        StatusCode.FailedPrecondition,
        "MIGRATION_UNCERTAIN",
        $"the agent ended while the migration of {target.Key.App} for deployment {deployment} ran: it is not known whether it was done",
        "look at the database's own record of migrations; then start a new deployment, which runs the migration again (it skips what is done)");
}
