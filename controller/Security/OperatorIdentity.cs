using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;
using Decant.Errors;

namespace Decant.Controller.Security;

/// <summary>The operator's certificate with its key, and by which CA agents are believed.</summary>
/// <param name="Client">What is shown to agents.</param>
/// <param name="Trusted">The CA; agents' certificates must be of it.</param>
/// <param name="Revoked">What it revoked.</param>
internal sealed record OperatorIdentity(SslStreamCertificateContext Client, X509Certificate2Collection Trusted, IReadOnlyList<RevocationList> Revoked)
{
    /// <summary>Reads the files.</summary>
    /// <exception cref="OperatorException">NO_CERTIFICATE or CERTIFICATE_UNUSABLE.</exception>
    public static OperatorIdentity Read(IdentityDirectory directory)
    {
        foreach (var file in new[] { directory.Ca, directory.Certificate, directory.Key })
        {
            if (!File.Exists(file)) throw new OperatorException(Missing(file));
        }

        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        try
        {
            if ((File.GetUnixFileMode(directory.Key) & Others) != 0)
                throw new OperatorException(Unusable($"others can read {directory.Key}", $"chmod 600 {directory.Key}, and think about who may have a copy"));
            X509Certificate2Collection trusted = [], chain = [];
            trusted.ImportFromPemFile(directory.Ca);
            chain.ImportFromPemFile(directory.Certificate);
            var certificate = X509Certificate2.CreateFromPemFile(directory.Certificate, directory.Key);
            if (chain.Count > 0) chain.RemoveAt(0);
            var revoked = File.Exists(directory.Revoked) ? RevocationList.ReadAll(File.ReadAllBytes(directory.Revoked), trusted) : [];
            return new OperatorIdentity(SslStreamCertificateContext.Create(certificate, chain, offline: true), trusted, revoked);
        }
        catch (Exception exception) when (exception is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new OperatorException(Unusable($"the certificate in {directory.Path} cannot be used: {exception.Message}", "see the files ca.pem, operator.pem and operator.key"), exception);
        }
    }

    private static OperatorError Missing(string file) => TlsErrors.Own(
        "NO_CERTIFICATE",
        $"there is no certificate to show to the agents: {file} is not there",
        "`decant ca init` makes a CA and your certificate; where there is a CA already, whoever has it makes you one (`decant ca issue`); "
        + $"--identity or ${IdentityDirectory.Variable} names another directory");

    private static OperatorError Unusable(string message, string next) => TlsErrors.Own("CERTIFICATE_UNUSABLE", message, next);
}
