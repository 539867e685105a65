# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
#
# Debian's cross compiler for SP_TRIPLET with Debian's libraries for SP_DEBIAN_ARCH: those that
# tools/cmake/sysroot unpacked under build/, else those of a multi-arch host (dpkg --add-architecture).
# Tests run under QEMU's user mode, called by name: no binfmt registration is needed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${SP_TRIPLET}-gcc)

set(sysroot ${CMAKE_CURRENT_LIST_DIR}/../../build/sysroot/${SP_DEBIAN_ARCH})
cmake_path(NORMAL_PATH sysroot)
if(EXISTS ${sysroot}/complete)
  set(CMAKE_SYSROOT ${sysroot})
  set(ENV{PKG_CONFIG_SYSROOT_DIR} ${sysroot})
  set(ENV{PKG_CONFIG_LIBDIR} ${sysroot}/usr/lib/${SP_TRIPLET}/pkgconfig)
  set(loader_root ${sysroot})
else()
  set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/${SP_TRIPLET}/pkgconfig:/usr/share/pkgconfig)
  set(loader_root /)
endif()
set(ENV{PKG_CONFIG_PATH} "")
set(CMAKE_LIBRARY_ARCHITECTURE ${SP_TRIPLET})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

find_program(SP_QEMU NAMES qemu-${CMAKE_SYSTEM_PROCESSOR}-static qemu-${CMAKE_SYSTEM_PROCESSOR})
if(SP_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${SP_QEMU} -L ${loader_root})
endif()
