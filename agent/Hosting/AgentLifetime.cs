using Decant.Agent.Configuration;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.State;

namespace Decant.Agent.Hosting;

/// <summary>
/// What the agent does before it takes calls (find what its predecessor left unfinished) and says when it is ready; and its end: operations
/// are interrupted and journaled, releases go on.
/// </summary>
internal sealed partial class AgentLifetime(
    AgentConfiguration configuration,
    AgentIdentity identity,
    AgentDatabase database,
    OperationJournal journal,
    OperationRunner runner,
    ReleaseStore releases,
    InstanceStore store,
    InstanceRegistry instances,
    HostTruth truth,
    TimeProvider time,
    ILogger<AgentLifetime> logger) : IHostedLifecycleService
{
    /// <inheritdoc/>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        database.Failed += fault =>
        {
            LogReadOnly(fault.Reason, fault.KeptAs ?? "where it was", fault.Next);
            instances.SaveAll();
        };
        if (database.Fault is { } found)
        {
            LogReadOnly(found.Reason, found.KeptAs ?? "where it was", found.Next);
            foreach (var record in RebuiltInstances.Find(configuration.DataDirectory)) store.Save(record);
        }
        else
        {
            releases.CleanUp();
        }

        await instances.ResumeAllAsync(cancellationToken);
        // Last: an agent that is killed before finds them running again, and does the same.
        foreach (var operation in journal.EndLeftRunning(left => RecoveryRule.End(left, truth, time.GetUtcNow())))
        {
            if (operation.State == OperationState.Succeeded) LogFoundDone(operation.Kind, operation.Id, operation.Deployment, operation.Subject);
            else LogInterrupted(operation.Kind, operation.Id, operation.Deployment, operation.Subject, RecoveryRule.Of(operation.Kind).Otherwise);
        }

        // The agent starts all the same: releases are to be watched, and reads answered.
        if (journal.TryWriteRest() is { } problem) LogNotJournaled(problem);
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (configuration.Listen.Unix is { } socket) UnixListener.Restrict(socket);
        LogReady(
            identity.Host,
            AgentIdentity.Version,
            Environment.ProcessId,
            string.Join(" and ", new[] { configuration.Listen.Unix, Tcp(configuration.Listen) }.Where(l => l is not null)));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        LogStopping(identity.Host);
        await runner.DisposeAsync();
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static string? Tcp(ListenSettings listen) => listen.Tcp is { } address ? $"{address} ({(listen.Tls is null ? "no TLS" : "TLS")})" : null;

    [LoggerMessage(1, LogLevel.Information, "agent is ready: host {Host}, version {Version}, pid {Pid}, listening on {Listeners}")]
    private partial void LogReady(string host, string version, int pid, string listeners);

    [LoggerMessage(2, LogLevel.Information, "agent is stopping: host {Host}; its releases go on")]
    private partial void LogStopping(string host);

    [LoggerMessage(
        6, LogLevel.Critical, "The agent's state cannot be used, so it watches its releases and changes nothing: {Reason}; the database is {Kept}. Next: {Next}")]
    private partial void LogReadOnly(string reason, string kept, string next);

    [LoggerMessage(4, LogLevel.Error, "The journal cannot be written; what was found interrupted is kept in memory until it can")]
    private partial void LogNotJournaled(Exception exception);

    [LoggerMessage(3, LogLevel.Warning, "{Kind} was interrupted by the agent's last end: operation {Operation}, deployment {Deployment}, {Subject}: {Known}")]
    private partial void LogInterrupted(
        OperationKind kind, Names.OperationId operation, Names.DeploymentId? deployment, OperationSubject subject, string known);

    [LoggerMessage(5, LogLevel.Information, "{Kind} was done when the agent died in it: operation {Operation}, deployment {Deployment}, {Subject}")]
    private partial void LogFoundDone(OperationKind kind, Names.OperationId operation, Names.DeploymentId? deployment, OperationSubject subject);
}
