using Decant.V1;
using Google.Protobuf.Reflection;

namespace Decant;

/// <summary>The services of the contract by their descriptors: for what is to hold for every call, also for those that come later.</summary>
public static class ContractServices
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<ServiceDescriptor> All { get; } =
    [
        .. new[]
        {
            AuditReflection.Descriptor, BalancersReflection.Descriptor, DeploymentsReflection.Descriptor, EnrolmentReflection.Descriptor, HostReflection.Descriptor, InstancesReflection.Descriptor, LeasesReflection.Descriptor,
            OperationsReflection.Descriptor, ReleasesReflection.Descriptor,
        }.SelectMany(file => file.Services),
    ];
}
