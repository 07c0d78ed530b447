using Decant.Agent.Audit;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Audits: reads the audit log.</summary>
internal sealed class AuditsService(AuditLog log) : V1.Audits.AuditsBase
{
    /// <inheritdoc/>
    public override async Task ReadAudit(V1.ReadAuditRequest request, IServerStreamWriter<V1.AuditEntry> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var since = DateTimeOffset.MinValue;
        try
        {
            if (request.Since is { } from) since = from.ToDateTimeOffset();
        }
        catch (InvalidOperationException)
        {
            reader.Wrong("since", "is not a time");
        }

        reader.ThrowIfWrong();
        foreach (var entry in log.Read().Where(e => e.At >= since))
        {
            await responseStream.WriteAsync(
                new V1.AuditEntry
                {
                    At = Timestamp.FromDateTimeOffset(entry.At),
                    Number = entry.Number,
                    Event = entry.Event switch { AuditEvent.Began => V1.AuditEvent.Began, AuditEvent.Ended => V1.AuditEvent.Ended, _ => V1.AuditEvent.Refused },
                    Caller = entry.Caller,
                    Serial = entry.Serial,
                    From = entry.From,
                    Call = entry.Call,
                    App = entry.App,
                    OperationId = entry.Operation,
                    DeploymentId = entry.Deployment,
                    Outcome = entry.Outcome,
                },
                context.CancellationToken);
        }
    }
}
