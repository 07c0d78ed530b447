using Decant.Agent.Security;
using Decant.Errors;
using Google.Protobuf;
using Grpc.Core;

namespace Decant.Agent.Audit;

/// <summary>Writes calls into the audit log.</summary>
internal sealed class AuditedCalls(AuditLog log, TimeProvider time)
{
    private const string Renew = "/decant.v1.Leases/RenewLease";

    /// <summary>Whether a call belongs there.</summary>
    public static bool Concerns(string method, CallRule? rule) => rule is null or { Role: not V1.Role.Observer } && method != Renew;

    /// <summary>It was refused.</summary>
    public void Refuse(string method, Caller caller, IMessage? request, CallRule? rule, string reason)
    {
        if (Concerns(method, rule)) log.Append(Entry(log.Next(), AuditEvent.Refused, method, caller, request, rule, reason));
    }

    /// <summary>It is allowed, and done now.</summary>
    /// <returns>Is told how it ended; null: it does not belong into the log.</returns>
    public AuditedCall? Begin(string method, Caller caller, IMessage? request, CallRule rule)
    {
        if (!Concerns(method, rule)) return null;
        var began = Entry(log.Next(), AuditEvent.Began, method, caller, request, rule, "");
        log.Append(began);
        return new AuditedCall(log, began, time);
    }

    private AuditEntry Entry(ulong number, AuditEvent what, string method, Caller caller, IMessage? request, CallRule? rule, string outcome)
    {
        var operation = request?.Descriptor.FindFieldByName("operation")?.Accessor.GetValue(request) as V1.OperationRef;
        var app = request is null || rule is not { App.Count: > 0 } ? "" : rule.AppOf(request) ?? "";
        return new AuditEntry(
            time.GetUtcNow(), number, what, caller.Name, caller.Certificate?.Serial ?? "", caller.From, method.Replace("/decant.v1.", "", StringComparison.Ordinal).TrimStart('/'),
            Short(app), Short(operation?.Id ?? ""), Short(operation?.DeploymentId ?? ""), outcome);
    }

    // What is not valid is logged, too, and may be of any length.
    private static string Short(string text) => text.Length <= 200 ? text : text[..200] + "…";
}

/// <summary>A call that is in the audit log and has not ended.</summary>
internal sealed class AuditedCall(AuditLog log, AuditEntry began, TimeProvider time)
{
    /// <summary>It succeeded.</summary>
    public void End() => End("OK");

    /// <summary>It failed.</summary>
    public void End(Exception exception) => End(exception switch
    {
        OperatorException known => known.Error.Reason,
        RpcException rpc => OperatorError.FromRpc(rpc).Reason,
        OperationCanceledException or IOException => "CALLER_GONE",
        _ => "INTERNAL",
    });

    private void End(string outcome) => log.Append(began with { At = time.GetUtcNow(), Event = AuditEvent.Ended, Outcome = outcome });
}
