using Decant.Agent.Security;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Certificates: the host's certificate.</summary>
internal sealed class CertificatesService(Enrolment enrolment, Renewal renewal, HostTls tls, IHostApplicationLifetime lifetime) : V1.Certificates.CertificatesBase
{
    /// <inheritdoc/>
    public override async Task Join(V1.JoinRequest request, IServerStreamWriter<V1.JoinEvent> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var last = "";
        await enrolment.JoinAsync(
            request.Token,
            message =>
            {
                last = message;
                return responseStream.WriteAsync(new V1.JoinEvent { Message = message }, end.Token);
            },
            end.Token);
        await responseStream.WriteAsync(new V1.JoinEvent { Message = last, Enrolled = true }, end.Token);
    }

    /// <inheritdoc/>
    public override Task<V1.HostCertificate> GetCertificate(V1.GetCertificateRequest request, ServerCallContext context)
        => tls.Identity is not { } identity
            ? throw new OperatorException(new OperatorError(StatusCode.FailedPrecondition, "NOT_ENROLLED", "this host has no certificate", "enrol it: `decant host enroll`"))
            : Task.FromResult(new V1.HostCertificate
            {
                Certificate = identity.Certificate.ExportCertificatePem(),
                Renewable = renewal.IsRenewable,
                RevocationNumber = identity.RevocationNumber,
            });

    /// <inheritdoc/>
    public override Task<V1.BeginRenewalResponse> BeginRenewal(V1.BeginRenewalRequest request, ServerCallContext context)
        => Task.FromResult(new V1.BeginRenewalResponse { Request = Google.Protobuf.ByteString.CopyFrom(renewal.Begin()) });

    /// <inheritdoc/>
    public override Task<V1.CompleteRenewalResponse> CompleteRenewal(V1.CompleteRenewalRequest request, ServerCallContext context)
    {
        renewal.Complete(request.Certificate);
        return Task.FromResult(new V1.CompleteRenewalResponse());
    }

    /// <inheritdoc/>
    public override Task<V1.SetRevokedResponse> SetRevoked(V1.SetRevokedRequest request, ServerCallContext context)
        => Task.FromResult(new V1.SetRevokedResponse { Number = renewal.Revoke(request.Revoked) });
}
