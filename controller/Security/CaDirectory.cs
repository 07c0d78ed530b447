namespace Decant.Controller.Security;

/// <summary>Where a CA is: in the identity directory of the operator who has it.</summary>
/// <param name="Path">Absolute path.</param>
internal sealed record CaDirectory(string Path)
{
    /// <summary>Of an operator.</summary>
    public static CaDirectory Of(IdentityDirectory identity) => new(System.IO.Path.Combine(identity.Path, "ca"));

    /// <summary>The CA's certificate.</summary>
    public string Certificate => System.IO.Path.Combine(Path, "ca.pem");

    /// <summary>Its key: whoever has it is admin everywhere.</summary>
    public string Key => System.IO.Path.Combine(Path, "ca.key");

    /// <summary>What it revoked.</summary>
    public string Revoked => System.IO.Path.Combine(Path, "revoked.pem");

    /// <summary>Which list each agent has.</summary>
    public string Delivered => System.IO.Path.Combine(Path, "delivered");

    /// <summary>Where all that it issued is.</summary>
    public string AllIssued => System.IO.Path.Combine(Path, "issued");

    /// <summary>A certificate that it issued.</summary>
    /// <param name="serial">Its serial number, in hexadecimal.</param>
    public string Issued(string serial) => System.IO.Path.Combine(Path, "issued", $"{serial}.pem");
}
