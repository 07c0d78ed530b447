using Decant.Agent.Operations;
using Decant.Names;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Agent.Api;

/// <summary>Operations as the contract has them: the one place that knows both.</summary>
internal static class OperationMapping
{
    public static V1.Operation ToMessage(OperationRecord record, string host)
    {
        var message = new V1.Operation
        {
            Ref = new V1.OperationRef
            {
                Id = record.Id.Value,
                DeploymentId = record.Deployment?.Value ?? "",
                Step = record.Step is { } step ? V1.DeploymentStep.Parser.ParseFrom(step.Content.Span) : null,
            },
            Kind = ToMessage(record.Kind),
            State = ToMessage(record.State),
            Host = host,
            App = record.Subject.App?.Value ?? "",
            Slot = record.Subject.Slot?.Value ?? "",
            Release = ToMessage(record.Subject.Release),
            Member = record.Subject.Member ?? "",
            StartedAt = Timestamp.FromDateTimeOffset(record.StartedAt),
            EndedAt = record.EndedAt is { } ended ? Timestamp.FromDateTimeOffset(ended) : null,
            Error = record.Error?.With("host", host).ToStatus(),
            Result = record.Result is { } result ? ToMessage(result) : null,
        };
        return message;
    }

    public static V1.OperationEvent ToMessage(OperationEvent item, string host)
    {
        var message = new V1.OperationEvent { Sequence = (ulong)item.Sequence, At = Timestamp.FromDateTimeOffset(item.At) };
        switch (item)
        {
            case OperationStarted started:
                message.Started = ToMessage(started.Record, host);
                break;
            case MessageReported reported:
                message.Message = reported.Text;
                break;
            case OutputReported output:
                message.Output = ToMessage(output.Line);
                break;
            case DrainReported drain:
                message.Drain = new V1.DrainProgress { Sessions = (uint)drain.Sessions, Elapsed = Duration.FromTimeSpan(drain.Elapsed), LongLived = (uint)drain.LongLived };
                break;
            case HealthReported health:
                message.Health = ToMessage(health.Seen);
                break;
            case OperationFinished finished:
                message.Finished = ToMessage(finished.Record, host);
                break;
            default:
                throw new InvalidOperationException($"event {item.GetType().Name} has no message");
        }

        return message;
    }

    public static V1.ReleaseRef? ToMessage(ReleaseId? release)
        => release is null ? null : new V1.ReleaseRef { Version = release.Version.Value, Digest = release.Digest.Value };

    public static V1.HealthProgress ToMessage(HealthSeen seen) => new()
    {
        Successes = (uint)seen.Successes,
        Failures = (uint)seen.Failures,
        Healthy = seen.IsHealthy,
        LastFailure = seen.LastFailure,
    };

    private static V1.OutputLine ToMessage(OutputLine line) => new() { Text = line.Text, IsError = line.IsError };

    private static V1.OperationKind ToMessage(OperationKind kind) => kind switch
    {
        OperationKind.Stage => V1.OperationKind.Stage,
        OperationKind.RemoveRelease => V1.OperationKind.RemoveRelease,
        OperationKind.PruneReleases => V1.OperationKind.PruneReleases,
        OperationKind.Preflight => V1.OperationKind.Preflight,
        OperationKind.Migrate => V1.OperationKind.Migrate,
        OperationKind.Start => V1.OperationKind.Start,
        OperationKind.Stop => V1.OperationKind.Stop,
        OperationKind.AwaitHealthy => V1.OperationKind.AwaitHealthy,
        OperationKind.Evaluate => V1.OperationKind.Evaluate,
        OperationKind.Drain => V1.OperationKind.Drain,
        OperationKind.Undrain => V1.OperationKind.Undrain,
        OperationKind.Maintenance => V1.OperationKind.Maintenance,
        OperationKind.Move => V1.OperationKind.Move,
        OperationKind.RemoveMember => V1.OperationKind.RemoveMember,
        OperationKind.Retire => V1.OperationKind.Retire,
        OperationKind.Keep => V1.OperationKind.Keep,
        OperationKind.Unlock => V1.OperationKind.Unlock,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    private static V1.OperationState ToMessage(OperationState state) => state switch
    {
        OperationState.Running => V1.OperationState.Running,
        OperationState.Succeeded => V1.OperationState.Succeeded,
        OperationState.Failed => V1.OperationState.Failed,
        OperationState.Cancelled => V1.OperationState.Cancelled,
        OperationState.Interrupted => V1.OperationState.Interrupted,
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, null),
    };

    private static V1.StopMeans ToMessage(StopMeans means) => means switch
    {
        StopMeans.NotRunning => V1.StopMeans.NotRunning,
        StopMeans.Script => V1.StopMeans.Script,
        StopMeans.Sigterm => V1.StopMeans.Sigterm,
        StopMeans.Sigkill => V1.StopMeans.Sigkill,
        _ => throw new ArgumentOutOfRangeException(nameof(means), means, null),
    };

    private static V1.OperationResult ToMessage(OperationResult result)
    {
        var message = new V1.OperationResult { Unchanged = result.Unchanged };
        switch (result)
        {
            case Done:
                break;
            case Staged staged:
                message.Stage = new V1.StageResult
                {
                    Release = ToMessage(staged.Release),
                    UnpackedBytes = (ulong)staged.UnpackedBytes,
                    Entries = (uint)staged.Entries,
                };
                break;
            case Pruned pruned:
                message.Prune = new V1.PruneResult { Removed = { pruned.Removed.Select(ToMessage) }, Kept = { pruned.Kept } };
                break;
            case Started started:
                message.Start = new V1.StartResult { Pid = (uint)started.Pid, StartTicks = (ulong)started.StartTicks };
                break;
            case Stopped stopped:
                message.Stop = new V1.StopResult { Means = ToMessage(stopped.Means), Elapsed = Duration.FromTimeSpan(stopped.Elapsed) };
                if (stopped.ExitCode is { } code) message.Stop.ExitCode = code;
                break;
            case Migrated migrated:
                message.Migrate = new V1.MigrateResult
                {
                    ExitCode = migrated.ExitCode,
                    Elapsed = Duration.FromTimeSpan(migrated.Elapsed),
                    Tail = { migrated.Tail.Select(ToMessage) },
                    AlreadyDone = migrated.AlreadyDone,
                };
                break;
            case PreflightPassed preflight:
                message.Preflight = new V1.PreflightResult
                {
                    Findings = { preflight.Findings.Select(f => new V1.PreflightFinding { Check = f.Check, Passed = f.Passed, Detail = f.Detail }) },
                };
                break;
            case Healthy healthy:
                message.AwaitHealthy = new V1.AwaitHealthyResult
                {
                    HealthyAfter = Duration.FromTimeSpan(healthy.HealthyAfter),
                    Verified = new V1.RunningRelease
                    {
                        Version = healthy.Verified.Version,
                        Root = healthy.Verified.Root,
                        Node = healthy.Verified.Node,
                        Source = healthy.Verified.Source,
                    },
                };
                break;
            case Evaluated evaluated:
                message.Evaluate = new V1.EvaluateResult { ExitCode = evaluated.ExitCode };
                break;
            case Drained drained:
                message.Drain = new V1.DrainResult
                {
                    Elapsed = Duration.FromTimeSpan(drained.Elapsed),
                    SessionsLeft = (uint)drained.SessionsLeft,
                    LongLivedClosed = (uint)drained.LongLivedClosed,
                };
                break;
            case Undrained undrained:
                message.Undrain = new V1.UndrainResult { Elapsed = Duration.FromTimeSpan(undrained.Elapsed), Status = undrained.Status };
                break;
            case Unlocked unlocked:
                message.Unlock = new V1.UnlockResult
                {
                    By = unlocked.By,
                    Reason = unlocked.Reason,
                    FormerHolder = unlocked.FormerHolder,
                    FormerToken = unlocked.FormerToken?.ToWire() ?? 0,
                };
                break;
            default:
                throw new InvalidOperationException($"result {result.GetType().Name} has no message");
        }

        return message;
    }
}
