using Decant.Errors;

namespace Decant.Controller.Security;

/// <summary>
/// The operator's identity, read when it is first used and again when its files have changed: what runs for long shows the renewed certificate with its
/// next connection.
/// </summary>
/// <param name="directory">Where it is.</param>
internal sealed class OperatorIdentities(Func<IdentityDirectory> directory)
{
    private readonly Lock gate = new();
    private (OperatorIdentity Identity, DateTime[] Written)? read;

    /// <summary>Where it is.</summary>
    public IdentityDirectory Directory => directory();

    /// <summary>As it is now.</summary>
    /// <exception cref="OperatorException">There is none, or it cannot be used.</exception>
    public OperatorIdentity Current()
    {
        lock (gate)
        {
            var place = directory();
            DateTime[] written = [.. new[] { place.Ca, place.Certificate, place.Key, place.Revoked }.Select(File.GetLastWriteTimeUtc)];
            if (read is { } known && known.Written.SequenceEqual(written)) return known.Identity;
            var identity = OperatorIdentity.Read(place);
            read = (identity, written);
            return identity;
        }
    }
}
