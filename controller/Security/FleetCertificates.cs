using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Security;

/// <summary>
/// Keeps the certificates of agents fresh, and tells agents what was revoked, from the machine that has the CA. What the CA issued and which agent has which list is
/// known here, so that commands do it in passing and ask nobody when there is nothing to do.
/// </summary>
/// <param name="authority">The CA.</param>
/// <param name="channels">To the agents.</param>
/// <param name="time">The clock.</param>
internal sealed class FleetCertificates(CertificateAuthority authority, AgentChannels channels, TimeProvider time)
{
    /// <summary>A certificate is renewed when so much of its life has passed.</summary>
    public const double RenewAfter = 2.0 / 3;

    /// <summary>Whether it is time to renew.</summary>
    public static bool IsDue(DateTimeOffset from, DateTimeOffset to, DateTimeOffset now) => now >= from + ((to - from) * RenewAfter);

    /// <summary>What has to be done at an agent.</summary>
    /// <param name="agent">The agent.</param>
    /// <param name="always">Renew it though it is not time.</param>
    public FleetDuty DutyTo(AgentAddress agent, bool always)
    {
        if (agent.CertifiedName is not { } name) return FleetDuty.None;
        using var issued = authority.LastIssuedTo(name);
        var number = authority.RevocationNumber;
        return new FleetDuty(
            Renew: issued is not null && (always || IsDue(issued.NotBefore, issued.NotAfter, time.GetUtcNow())),
            Revoke: number > 0 && authority.Delivered(agent.Value) < number);
    }

    /// <summary>Does it.</summary>
    /// <returns>What was done, in words; null: nothing had to be done.</returns>
    /// <exception cref="RpcException">The agent cannot be reached, or refuses.</exception>
    public async Task<string?> DoAsync(AgentAddress agent, FleetDuty duty, CancellationToken cancellation)
    {
        if (duty is { Renew: false, Revoke: false }) return null;
        var client = new V1.Certificates.CertificatesClient(channels.To(agent));
        var done = new List<string>();
        if (duty.Revoke)
        {
            var answer = await client.SetRevokedAsync(new SetRevokedRequest { Revoked = authority.RevokedPem }, cancellationToken: cancellation);
            authority.NoteDelivered(agent.Value, answer.Number);
            done.Add("knows what was revoked");
        }

        if (duty.Renew)
        {
            var begun = await client.BeginRenewalAsync(new BeginRenewalRequest(), cancellationToken: cancellation);
            using var old = authority.LastIssuedTo(agent.CertifiedName!)!;
            var request = CertificateRequest.LoadSigningRequest(begun.Request.ToByteArray(), HashAlgorithmName.SHA256);
            var pem = authority.RenewHost(old, request.PublicKey, time.GetUtcNow());
            await client.CompleteRenewalAsync(new CompleteRenewalRequest { Certificate = pem }, cancellationToken: cancellation);
            using var made = X509Certificate2.CreateFromPem(pem);
            done.Add($"has a new certificate, valid until {made.NotAfter.ToUniversalTime():yyyy-MM-dd}");
        }

        return string.Join("; ", done);
    }

    /// <summary>Does what is due at agents of a manifest; what fails is told and no reason to fail what the command is about.</summary>
    public async Task DoInPassingAsync(IEnumerable<NamedAgent> agents, Action<string> tell, CancellationToken cancellation)
    {
        foreach (var agent in agents.DistinctBy(a => a.Address))
        {
            try
            {
                if (await DoAsync(agent.Address, DutyTo(agent.Address, always: false), cancellation) is { } done) tell($"{agent.Name}: {done}");
            }
            catch (RpcException exception) when (!cancellation.IsCancellationRequested)
            {
                tell($"{agent.Name}: its certificate is to be renewed, or what was revoked to be told, and that failed: {OperatorError.FromRpc(exception).Message}; `decant ca renew` tries again");
            }
        }
    }
}

/// <summary>What an agent needs.</summary>
/// <param name="Renew">A new certificate.</param>
/// <param name="Revoke">The newest revocation list.</param>
internal sealed record FleetDuty(bool Renew, bool Revoke)
{
    /// <summary>Nothing.</summary>
    public static FleetDuty None { get; } = new(Renew: false, Revoke: false);
}
