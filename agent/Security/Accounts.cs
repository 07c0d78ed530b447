using System.Runtime.InteropServices;

namespace Decant.Agent.Security;

/// <summary>Names of users and groups, from wherever this host has them (getpwuid(3), getgrgid(3)).</summary>
internal static partial class Accounts
{
    private const int Buffer = 64 << 10;

    /// <summary>The user's name; null: it has none.</summary>
    public static string? UserName(uint user) => Name(user, UserById);

    /// <summary>The group's name; null: it has none.</summary>
    public static string? GroupName(uint group) => Name(group, GroupById);

    private delegate int Lookup(uint id, Span<nint> record, Span<byte> buffer, out nint found);

    // struct passwd has six words on 64-bit Linux, struct group four; the name is the first of both.
    private static string? Name(uint id, Lookup lookup)
    {
        Span<nint> record = stackalloc nint[8];
        var buffer = new byte[Buffer];
        var held = GCHandle.Alloc(buffer, GCHandleType.Pinned);
        try
        {
            return lookup(id, record, buffer, out var found) == 0 && found != 0 ? Marshal.PtrToStringUTF8(record[0]) : null;
        }
        finally
        {
            held.Free();
        }
    }

    private static int UserById(uint id, Span<nint> record, Span<byte> buffer, out nint found)
        => GetPwUid(id, ref MemoryMarshal.GetReference(record), ref MemoryMarshal.GetReference(buffer), (nuint)buffer.Length, out found);

    private static int GroupById(uint id, Span<nint> record, Span<byte> buffer, out nint found)
        => GetGrGid(id, ref MemoryMarshal.GetReference(record), ref MemoryMarshal.GetReference(buffer), (nuint)buffer.Length, out found);

    [LibraryImport("libc", EntryPoint = "getpwuid_r")]
    private static partial int GetPwUid(uint user, ref nint record, ref byte buffer, nuint length, out nint found);

    [LibraryImport("libc", EntryPoint = "getgrgid_r")]
    private static partial int GetGrGid(uint group, ref nint record, ref byte buffer, nuint length, out nint found);
}
